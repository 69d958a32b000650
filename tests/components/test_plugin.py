"""What `pulumi package add` needs."""

import json
import subprocess
import sys

import grpc
import pulumi
import pytest
import yaml
from pulumi.provider.experimental.analyzer import Analyzer
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
from recording import SYSTEM, colony_args, inputs, record_program

from components.colony import Colony
from components.training_job import TrainingJob


@pytest.fixture(scope="module")
def schema():
    return json.loads(ComponentProvider([Colony, TrainingJob], "colony", None, "0.1.0").schema)


def test_the_analyzer_accepts_the_components():
    found = Analyzer("colony").analyze([Colony, TrainingJob])
    assert set(found["component_definitions"]) == {"Colony", "TrainingJob"}
    assert {"ColonySpec", "Placement", "Lease", "Job"} <= set(found["type_definitions"])


def test_structure_is_plain_and_secrets_are_inputs(schema):
    given = schema["resources"]["colony:index:Colony"]["inputProperties"]
    assert given["spec"]["plain"] and given["placement"]["plain"]
    assert "plain" not in given["secrets"]
    assert "plain" not in given["kubeconfigs"]
    assert set(schema["resources"]["colony:index:Colony"]["requiredInputs"]) == {
        "spec",
        "placement",
        "lease",
    }


def test_no_type_was_left_unresolved(schema):
    jobs = schema["types"]["colony:index:ColonySpec"]["properties"]["jobs"]
    assert jobs["items"]["$ref"] == "#/types/colony:index:Job"
    assert schema["types"]["colony:index:Cloud"]["enum"]
    nodes = schema["types"]["colony:index:Job"]["properties"]["nodes"]
    assert nodes["type"] == "integer"


def test_the_repository_is_a_plugin(checkout):
    assert yaml.safe_load((checkout / "PulumiPlugin.yaml").read_text())["runtime"]["name"] == (
        "python"
    )
    # as the Python language host runs a plugin folder that has a `__main__.py`
    process = subprocess.Popen(
        [sys.executable, str(checkout), "127.0.0.1:1"], stdout=subprocess.PIPE, text=True
    )
    try:
        port = process.stdout.readline().strip()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            provider = provider_pb2_grpc.ResourceProviderStub(channel)
            answer = provider.GetSchema(provider_pb2.GetSchemaRequest(), timeout=30)
    finally:
        process.kill()
        process.communicate()
    served = json.loads(answer.schema)
    assert served["name"] == "colony"
    assert set(served["resources"]) == {"colony:index:Colony", "colony:index:TrainingJob"}


def test_another_language_constructs_a_colony():
    provider = ComponentProvider([Colony], "colony", None, "0.1.0")
    args = colony_args(pools=[SYSTEM], jobs=[{"name": "a", "run": "true"}], code=False)
    lease = dict(args["lease"])
    cluster = args["placement"]["clusters"][0]
    (pool,) = cluster["pools"]
    wire = {
        "spec": {"name": "demo", "jobs": [{"name": "a", "run": "true", "nodes": 1.0}]},
        "placement": {
            "clusters": [
                {
                    **{k: v for k, v in cluster.items() if k != "pools"},
                    "pools": [
                        {
                            "name": "system",
                            "instanceType": pool["instance_type"],
                            "nodes": 2.0,
                            "pricePerNodeHour": 0.1,
                        }
                    ],
                }
            ],
            "jobs": {"a": "main"},
        },
        "lease": {**lease, "created": float(lease["created"]), "expires": float(lease["expires"])},
    }
    states = []

    def program():
        states.append(provider.construct("demo", "colony:index:Colony", wire).state)

    recording = record_program(program)
    assert set(states[0]) == {"clusters", "kubeconfigs", "jobs", "usdPerHour"}
    group = inputs(recording.one("aws:eks/nodeGroup:NodeGroup"))
    assert group["instanceTypes"] == ["m7i.large"]


def test_a_job_can_be_put_on_a_cluster_of_ones_own():
    import pulumi_kubernetes as kubernetes

    def program():
        provider = kubernetes.Provider("mine", kubeconfig="{}")
        TrainingJob(
            "solo",
            {"job": {"name": "solo", "run": "true"}, "colony": "c", "cluster": "k", "cloud": "x"},
            pulumi.ResourceOptions(providers=[provider]),
        )

    recording = record_program(program)
    jobset = recording.one("kubernetes:jobset.x-k8s.io/v1alpha2:JobSet")
    assert "::mine::" in jobset.provider
    assert jobset.deletedWith == ""
