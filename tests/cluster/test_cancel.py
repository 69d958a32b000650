"""`colony cancel` on the real controllers: every kind of job, and the agent's word for it."""

import json
import time

import pytest
import yaml
from agent_process import AgentProcess
from colony_command import colony
from receiver import Receiver

from colony.agent.completion import read_completion
from colony.agent.signature import verified
from colony.rehearsal.world import left
from jobs.spec import Backend

CONTROLLERS = ("jobset", "mpi", "trainer", "kuberay", "volcano")
pytestmark = [
    pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.controllers(*CONTROLLERS),
]  # fmt: skip
OFF = dict.fromkeys(
    ("gpu-operator", "jobset", "kueue", "volcano", "kubeflow-trainer", "kuberay", "mpi-operator"),
    "off",
)
PACE = "pod-complete.stage.kwok.x-k8s.io"
LASTING = {"metadata": {"annotations": {f"{PACE}/delay": "1h", f"{PACE}/jitter-delay": "1h"}}}
AGENT = "colony-agent-tiny"


def job(kind):
    one = {"name": f"a-{kind}", "run": "train", "resources": {"accelerators": "H100:1"}}
    lasting = {"template": LASTING}
    if kind == "elastic":
        roles = {"launcher": lasting, "worker": {"replicas": 2, "restart": "OnFailure"}}
        return {**one, "framework": "horovod", "elastic": {"min": 1, "max": 3}, "roles": roles}
    if kind == "mpijob":
        return {**one, "framework": "mpi", "backend": kind,
                "roles": {"launcher": lasting, "worker": lasting}}  # fmt: skip
    if kind == "rayjob":
        return {**one, "framework": "ray", "backend": kind}
    return {**one, "framework": "pytorch", "backend": kind, "roles": {"worker": lasting}}


KINDS = [*(each.value for each in Backend), "elastic"]


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def lab(controllers, world, tmp_path):
    """The colony's file: a job of each kind, and a webhook."""
    controllers.start(*CONTROLLERS)
    controllers.dashboards.ends("a-rayjob", "RUNNING")
    hook = {"name": "hook", "kind": "webhook", "url": "https://example.com", "secret": "hooks/key"}
    content = {
        "apiVersion": "colony/v1", "kind": "Colony", "name": "tiny", "layers": OFF,
        "clusters": [{"name": "main", "cloud": "existing"}], "jobs": [job(each) for each in KINDS],
        "teardown": {"grace": 0, "keep_lost": True, "signals": [hook]},
    }  # fmt: skip
    path = tmp_path / "colony.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def agent_of(plane, cluster, folder, receiver):
    """The agent as the colony has it: its config, and its account's token."""
    made = cluster.get("v1/ConfigMap", AGENT, "default")
    config = json.loads(made["data"]["jobs.json"])
    [signal] = config["completion"]["signals"]
    (folder / "key").write_text("secret")
    signal |= {"url": receiver.url, "secret": str(folder / "key")}
    names = [each["name"] for each in config.pop("jobs")]
    account = plane.service_account("default", AGENT)
    return AgentProcess(account, folder, "default", *names, **config)


def pods(cluster, name):
    return cluster.list("v1/Pod", "default", labels=f"colony.dev/job={name}")


def test_every_kind_of_job_is_cancelled_and_the_last_ends_the_colony(
    plane, cluster, lab, world, tmp_path, receiver
):
    before = set(cluster.leftovers("default"))
    up = colony("up", lab, "--yes", "--world", world)
    assert up.code == 0, up.err
    agent = agent_of(plane, cluster, tmp_path, receiver)
    agent.start()
    try:
        for kind in KINDS:
            cluster.wait(lambda kind=kind: pods(cluster, f"a-{kind}"), 90, f"pods of {kind}")
        one = colony("cancel", "tiny/a-elastic", "--world", world)
        assert one.code == 0 and "goes on with its other jobs" in one.out, one.out + one.err
        cluster.wait(lambda: not pods(cluster, "a-elastic"), 30, "the workers to be gone")
        live = cluster.get("v1/ConfigMap", f"{AGENT}-completion", "default")
        state = read_completion(live["data"])
        assert state.record is None and state.jobs["a-elastic"].outcome == "cancelled"
        assert all(pods(cluster, f"a-{kind}") for kind in KINDS if kind != "elastic")

        rest = colony("cancel", "tiny", "--world", world, "--format", "json")
        assert rest.code == 0, rest.err
        assert rest.json["ended"]["clean"] and "may say `lost`" not in rest.err
    finally:
        agent.kill()
    assert left(world) == []
    [(_, _, headers, body)] = receiver.got
    verified("secret", headers, body, time.time())
    data = json.loads(body)["data"]
    assert data["outcome"] == "cancelled"
    assert data["jobs"] == {f"a-{kind}": "cancelled" for kind in KINDS}
    cluster.wait(lambda: set(cluster.leftovers("default")) <= before, 60, "no trace")
