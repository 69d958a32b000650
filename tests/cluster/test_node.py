"""Jobs in real containers on one real node: gradients over service names, logs, exit codes."""

import base64
from dataclasses import replace

import pytest
from testbed.cluster import Cluster
from testbed.controllers import Controllers
from testbed.image import NAME as IMAGE
from testbed.node import LABEL, logs

from colony.archive import pack
from jobs.backends import KINDS, render
from jobs.context import JobContext
from jobs.entrypoint import CODE_FILE
from jobs.spec import Backend, Job
from jobs.state import JobPhase, observe

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
GPUS = 8


@pytest.fixture(scope="module")
def plane(node_plane):
    return node_plane


@pytest.fixture(scope="module")
def cluster(plane):
    cluster = Cluster(plane.kubeconfig)
    Controllers(plane, cluster).start("jobset")
    capacity = {"nvidia.com/gpu": str(GPUS)}
    cluster.patch(
        "v1/Node",
        "real",
        {"status": {"capacity": capacity, "allocatable": capacity}},
        None,
        "status",
    )
    yield cluster
    cluster.close()


@pytest.fixture
def space(cluster):
    with cluster.namespace("node") as name:
        yield name


@pytest.fixture
def context(space):
    return JobContext(
        colony="lab",
        cluster="main",
        cloud="existing",
        region="",
        namespace=space,
        node_selector={LABEL: "true"},
    )


def job(**fields):
    return Job(
        **{
            "name": "train",
            "framework": "custom",
            "image": IMAGE,
            "envs": {"COLONY_RESOLVE_INTERVAL": "0.2"},
            **fields,
        }
    )


def submit(cluster, job, context, code=None):
    if code:
        data = {CODE_FILE: base64.b64encode(pack(code).data).decode()}
        name = f"{job.name}-code"
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        cluster.apply(secret, namespace=context.namespace)
        context = replace(context, code_secret=name)
    cluster.apply(*render(job, context), namespace=context.namespace)


def ended(cluster, job, context, seconds=120):
    """Its state once it has ended, from the objects in the API server alone."""

    def look():
        state = observe(objects(cluster, job, context), job)
        return state if state.ended else None

    return cluster.wait(look, seconds, f"the end of {job.name}")


def objects(cluster, job, context):
    version, kind = KINDS[job.backend]
    labels = f"colony.dev/job={job.name}"
    return [
        {"kind": each.rpartition("/")[2], **found}
        for each in {f"{version}/{kind}", "batch/v1/Job", "v1/Pod"}
        for found in cluster.list(each, context.namespace, labels)
    ]


def pods_of(cluster, context):
    return cluster.list("v1/Pod", context.namespace, "colony.dev/job=train")


def story(plane, cluster, context):
    names = [pod["metadata"]["name"] for pod in pods_of(cluster, context)]
    return "\n".join(f"{name}:\n{logs(plane, context.namespace, name)}" for name in names)


@pytest.mark.parametrize("backend", [Backend.JOB, Backend.JOBSET])
def test_two_workers_exchange_gradients_over_service_names(
    cluster, context, plane, checkout, backend
):
    train = job(
        framework="pytorch",
        backend=backend,
        nodes=2,
        processes_per_node=2,
        resources={"accelerators": "H100:2"},
        run="python launch.py train.py",
        max_run_time=120,
    )
    submit(cluster, train, context, checkout / "examples" / "ddp")
    state = ended(cluster, train, context)
    assert (state.phase, state.exit_code) == (JobPhase.SUCCEEDED, 0), story(plane, cluster, context)
    pods = sorted(pods_of(cluster, context), key=lambda pod: pod["metadata"]["name"])
    assert len(pods) == 2
    said = logs(plane, context.namespace, pods[0]["metadata"]["name"])
    assert "4 ranks: loss" in said  # which it compares with the same training in one process


def test_the_exit_code_and_the_logs_of_a_failing_rank_arrive(cluster, context, plane):
    broken = job(
        backend="jobset",
        nodes=2,
        run='echo "I am $RANK of $WORLD_SIZE"; test "$RANK" = 0 || exit 7; sleep 60',
    )
    submit(cluster, broken, context)
    state = ended(cluster, broken, context)
    assert (state.phase, state.exit_code) == (JobPhase.FAILED, 7), state
    failed = [
        pod["metadata"]["name"]
        for pod in cluster.list("v1/Pod", context.namespace, "colony.dev/job=train")
        if pod["status"]["phase"] == "Failed"
    ]
    assert any("I am 1 of 2" in logs(plane, context.namespace, name) for name in failed)


def test_a_worker_starts_only_when_its_server_listens(cluster, context, plane):
    """The order is the init container's: a TCP wait, no API rights."""
    pair = job(
        backend="job",
        roles={
            "server": {"replicas": 1, "ports": {"tcp": 5000}, "run": SERVER},
            "worker": {"replicas": 2, "depends_on": ["server"], "run": CLIENT},
        },
    )
    submit(cluster, pair, context)
    state = ended(cluster, pair, context)
    assert state.phase is JobPhase.SUCCEEDED, story(plane, cluster, context)


SERVER = """\
python3 - <<'EOF'
import socket, time
time.sleep(3)  # a name resolves before the port is open
server = socket.create_server(("", 5000))
server.settimeout(60)
served = set()
while len(served) < 2:
    one, _ = server.accept()
    said = one.makefile().readline().strip()
    if said:
        served.add(said)
        one.sendall(b"welcome\\n")
print(sorted(served))
EOF
"""
CLIENT = """\
python3 - <<'EOF'
import os, socket
host = os.environ["server"].split(",")[0]
one = socket.create_connection((host, 5000), 2)  # no retry: it must listen by now
one.sendall(f"worker-{os.environ['INDEX']}\\n".encode())
assert one.makefile().readline() == "welcome\\n"
EOF
"""
