"""An elastic job in real containers: it grows and shrinks by name while its training goes on."""

import re
import shutil

import pytest
from agent_process import AgentProcess
from testbed.cluster import Cluster, Late
from testbed.image import NAME as IMAGE
from testbed.node import LABEL, logs

from colony.agent.model import Request
from colony.kubeapi import KubeApi
from colony.scaling import LiveJob
from components.agent import agent_manifests
from jobs.backends import render
from jobs.context import JobContext
from jobs.spec import Job

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
ACCOUNT = "colony-agent"

WORKER = """\
import os, sys
target = float(os.environ["COLONY_POD_INDEX"])  # its shard wants the weight to be its index
for line in sys.stdin:
    print(float(line) - target, flush=True)
"""
LAUNCHER = """\
cat >worker.py <<'EOF'
WORKER_SOURCE
EOF
exec python3 - <<'EOF'
import os, shlex, subprocess, time
code = shlex.quote(open("worker.py").read())

def hosts():
    said = subprocess.run([os.environ["COLONY_DISCOVERY"]], capture_output=True, text=True)
    return [line.rpartition(":")[0] for line in said.stdout.split()]

def connect(host):
    argv = [*os.environ["OMPI_MCA_plm_rsh_agent"].split(), host, f"python3 -c {code}"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    return subprocess.Popen(argv, **pipes)

workers, sizes, weight, step, changed = {}, [], 10.0, 0, 0
while sizes[-1:] != [1] or step < changed + 10:
    now = hosts()
    for gone in set(workers) - set(now):
        worker = workers.pop(gone)
        worker.communicate()
        print(f"let {gone} go: exit code {worker.returncode}", flush=True)
    workers |= {host: connect(host) for host in now if host not in workers}
    gradients = []
    for host, worker in workers.items():
        worker.stdin.write(f"{weight}\\n")
        said = worker.stdout.readline()
        if said:
            gradients.append(float(said))
        else:
            print(f"lost {host}", flush=True)
    if gradients:
        weight -= 0.1 * sum(gradients) / len(gradients)
        step += 1
        names = ",".join(host.split(".")[0] for host in now)
        print(f"step {step} of {len(gradients)}: {names} weight {weight:.4f}", flush=True)
        if sizes[-1:] != [len(gradients)]:
            sizes.append(len(gradients))
            changed = step
    time.sleep(0.2)
for worker in workers.values():
    worker.communicate()
print(f"sizes {sizes}", flush=True)
EOF
""".replace("WORKER_SOURCE", WORKER)


@pytest.fixture
def plane(node_plane):
    if not shutil.which("sshd", path="/usr/sbin:/usr/bin"):
        pytest.skip("NOT SHOWN, no sshd for the image: apt-get install openssh-server")
    return node_plane


@pytest.fixture
def cluster(plane):
    cluster = Cluster(plane.kubeconfig)
    yield cluster
    cluster.close()


def elastic_job():
    return Job.model_validate(
        {
            "name": "train",
            "framework": "horovod",
            "backend": "job",
            "image": IMAGE,
            "envs": {"COLONY_RESOLVE_INTERVAL": "0.2"},
            "roles": {
                "launcher": {"run": LAUNCHER},
                "worker": {"replicas": 2},
            },
            "elastic": {"min": 1, "max": 4},
            "max_run_time": 240,
        }
    )


def test_it_grows_to_three_and_shrinks_to_one_by_name_while_it_trains(plane, cluster, tmp_path):
    with cluster.namespace("elastic") as space:
        job = elastic_job()
        context = JobContext("lab", "bed", "existing", "", space, node_selector={LABEL: "true"})
        cluster.apply(*agent_manifests(ACCOUNT, space, {space: [job]}), *render(job, context))
        account = plane.service_account(space, ACCOUNT)
        agent = AgentProcess(account, tmp_path, space, "train")
        live = LiveJob(KubeApi(plane.kubeconfig.read_text()), space, "train")

        def wait(what, message):
            try:
                cluster.wait(lambda: what(said_by_launcher(plane, space)), 90, message)
            except Late as late:
                pods = [(pod["metadata"]["name"], pod["status"]) for pod in pods_of(cluster, space)]
                story = [said_by_launcher(plane, space), agent.log.read_text(), *map(str, pods)]
                raise Late("\n".join([str(late), *story])) from None

        agent.start()
        try:
            wait(lambda said: "of 2: train-worker-0,train-worker-1" in said, "two workers")
            live.ask(Request("grow", "out", count=1))
            cluster.wait(lambda: "train-worker-2" in workers(cluster, space), 30, "the new pod")
            agent.kill()
            agent.start()
            wait(lambda said: "of 3: " in said, "three workers")
            live.ask(Request("shrink", "in", names=["worker-0", "worker-2"]))
            agent.kill()
            agent.start()
            wait(lambda said: re.search("of 1: train-worker-1 ", said), "one worker")
            cluster.condition("batch/v1/Job", "train-launcher", "Complete", space, 60)
        finally:
            agent.kill()
        said = said_by_launcher(plane, space)
        assert "sizes [2, 3, 1]" in said, said
        assert "lost" not in said, "announced before it was ready, or removed before it was let go"
        steps = [int(step) for step in re.findall(r"^step (\d+)", said, re.M)]
        assert steps == list(range(1, len(steps) + 1))


def workers(cluster, space):
    return {pod["metadata"]["name"] for pod in pods_of(cluster, space, ",colony.dev/role=worker")}


def pods_of(cluster, space, more=""):
    return cluster.list("v1/Pod", space, f"colony.dev/job=train{more}")


def said_by_launcher(plane, space):
    return logs(plane, space, "-l", "colony.dev/role=launcher")
