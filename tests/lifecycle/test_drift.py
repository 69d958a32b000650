"""What clouds and controllers change by themselves makes no difference to a second `up`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from colony_command import DEADLINE, colony

from colony.rehearsal.world import World

pytestmark = pytest.mark.engine

DRIVE = Path(__file__).parents[1] / "rehearsal" / "helpers" / "drive.py"
BARE = "from components.ignored import table\n\ntable().clear()\n"
"""As if nothing were ignored."""
WEBHOOK = """
import pulumi
import pulumi_kubernetes as kubernetes

from components.objects import KubernetesObject

inside = kubernetes.Provider("inside", kubeconfig="{}", cluster_identifier="existing/mine")
hook = {
    "name": "ships.colony.test", "sideEffects": "None", "admissionReviewVersions": ["v1"],
    "clientConfig": {"url": "https://127.0.0.1:1", "caBundle": "b2xk"},
}
manifest = {
    "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "ships"}, "webhooks": [hook],
}
KubernetesObject("hook", manifest, pulumi.ResourceOptions(provider=inside))
"""


def pool(what, **more):
    return {"name": "gpu", "accelerators": what, "nodes": 2, **more}


POOLS = {
    "aws": [pool("H100:8")],
    "azure": [pool("A100-80GB:8", min_nodes=0)],
    "gcp": [pool("L4:4"), pool("L4:1", min_nodes=0) | {"name": "scales"}],
}


def drive(world, program, *operations, stack):
    env = {**world.environment(), "STACK": stack, "PYTHONPATH": os.pathsep.join(sys.path)}
    argv = [sys.executable, DRIVE, program, *operations]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def world(tmp_path):
    made = World.create(tmp_path / "world")
    yield made
    made.close()


@pytest.mark.parametrize("cloud", POOLS)
def test_a_second_up_leaves_a_cloud_s_own_changes_alone(cloud, world, tmp_path):
    content = {
        "apiVersion": "colony/v1", "kind": "Colony", "name": "lab",
        "clusters": [{"name": "main", "cloud": cloud, "pools": POOLS[cloud]}],
    }  # fmt: skip
    file = tmp_path / "colony.yaml"
    file.write_text(json.dumps(content))
    done = colony("up", file, "--world", world.dir)
    assert done.code == 0, done.err
    found = refreshed(world)
    assert found["changed"] > 0
    assert set(found["counts"]) == {"same"}, found
    assert set(refreshed(world, "bare")["counts"]) > {"same"}


def refreshed(world, *bare):
    """What an `up` would do after a refresh."""
    argv = [sys.executable, DRIVE.with_name("refreshed.py"), world.dir, "lab", *bare]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_a_controller_writes_into_a_webhook_stays(world, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(WEBHOOK)
    world.start()
    world.add_cluster("existing/mine")
    assert drive(world, program, "up", stack="hooks")[0]["ok"]
    assert world.drift() == 1
    _, up = drive(world, program, "refresh", "up", stack="hooks")
    assert set(up["changes"]) == {"same"}, up
    assert ca_bundle(world) == "bmV3"
    program.write_text(BARE + WEBHOOK)
    drive(world, program, "up", "refresh", "up", stack="hooks")
    assert ca_bundle(world) == "b2xk"


def ca_bundle(world):
    (hook,) = world.objects("existing/mine", "ValidatingWebhookConfiguration")
    return hook["webhooks"][0]["clientConfig"]["caBundle"]
