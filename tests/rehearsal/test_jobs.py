"""The jobs of a simulated world move by the world's time, whatever they became."""

import pytest

from colony.rehearsal.expand import kind_of
from colony.rehearsal.jobs import ADMISSION, PULL, SimulatedJob, pulled_ahead, workloads_of
from colony.rehearsal.objects import is_kind
from jobs.backends import render
from jobs.context import JobContext
from jobs.recovery import Recovery, Work
from jobs.spec import Job
from jobs.state import observe

CONTEXT = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1")
BACKENDS = ("jobset", "job", "volcano", "trainjob", "mpijob", "rayjob")
FRAMEWORKS = {"mpijob": "mpi", "rayjob": "ray"}
RUNS = 600


class Cluster:
    """What a world answers about one cluster, without its server."""

    def __init__(self, manifests):
        self.all = [dict(each) for each in manifests]

    def objects(self, cluster, kind, namespace=None):
        return [each for each in self.all if is_kind(each, kind)]

    def put_object(self, cluster, thing):
        self.delete_object(cluster, thing["kind"], None, thing["metadata"]["name"])
        self.all.append(thing)

    def delete_object(self, cluster, kind, namespace, name):
        self.all = [e for e in self.all if not (is_kind(e, kind) and e["metadata"]["name"] == name)]

    def patch_status(self, cluster, kind, namespace, name, status):
        (found,) = [e for e in self.objects(cluster, kind) if e["metadata"]["name"] == name]
        found["status"] = status


def job_of(backend, framework="pytorch", **more):
    framework = FRAMEWORKS.get(backend, framework)
    fixed = {"name": "demo", "run": "true", "nodes": 2, "expected_run_time": RUNS}
    return Job(**fixed, framework=framework, backend=backend, **more)


def simulated(job):
    world = Cluster(render(job, CONTEXT))
    return world, SimulatedJob(world, "main", "demo", "default", born=1000.0)


def phase(world, job):
    return observe(world.all, job).phase.value


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_job_is_pulled_runs_and_ends_in_its_modelled_time(backend):
    job = job_of(backend)
    world, simulation = simulated(job)
    seen = []
    for at in (1000, 1000 + PULL - 1, 1000 + PULL, 1000 + PULL + RUNS - 1, 1000 + PULL + RUNS):
        simulation.tick(at)
        seen.append(phase(world, job))
    assert seen == ["pending", "pending", "running", "running", "succeeded"]
    assert [kind_of(each) for each in world.all if kind_of(each)].count("JobSet") <= 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_job_in_a_queue_is_admitted_first(backend):
    job = job_of(backend, queue="q")
    world, simulation = simulated(job)
    simulation.tick(1000 + PULL)
    assert phase(world, job) == "pending"
    simulation.tick(1000 + PULL + ADMISSION)
    assert phase(world, job) == "running"


@pytest.mark.parametrize("backend", ["jobset", "job", "trainjob", "mpijob", "rayjob"])
def test_a_job_that_is_suspended_by_hand_waits_until_it_is_resumed(backend):
    job = job_of(backend, suspend=True)
    world, simulation = simulated(job)
    simulation.tick(9000.0)
    assert phase(world, job) == "pending" and simulation.next_change() == float("inf")
    for workload in workloads_of(world, "main", "default", "demo"):
        place = workload["spec"]["runPolicy"] if backend == "mpijob" else workload["spec"]
        place["suspend"] = False
    simulation.tick(9000.0 + PULL - 1)
    assert phase(world, job) == "pending"
    simulation.tick(9000.0 + PULL)
    assert phase(world, job) == "running"


def test_an_elastic_jobs_pods_are_there_while_it_runs():
    job = job_of("jobset", framework="horovod", elastic={"max": 4})
    world, simulation = simulated(job)
    simulation.tick(1000 + PULL)
    assert phase(world, job) == "running"
    assert len(world.objects("main", "Pod")) == 3
    simulation.tick(1000 + PULL + RUNS)
    assert phase(world, job) == "succeeded"
    assert world.objects("main", "Pod") == []


def test_what_trainer_made_goes_with_the_run():
    world, simulation = simulated(job_of("trainjob"))
    simulation.tick(1000 + PULL)
    assert len(world.objects("main", "JobSet.jobset.x-k8s.io")) == 1
    simulation.stop()
    assert world.objects("main", "JobSet.jobset.x-k8s.io") == []


def recovering(backend, **more):
    job = job_of(backend)
    world, simulation = simulated(job)
    simulation.work = Work(Recovery(**more))
    simulation.tick(1000 + PULL + 500)
    simulation.take(1000 + PULL + 500, back=60.0, notice=30.0)
    return job, world, simulation


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_job_whose_machine_is_taken_has_failed_for_that_reason(backend):
    job, world, simulation = recovering(backend)
    state = observe(world.all, job)
    assert (state.phase.value, state.reason) == ("failed", "Preempted")
    assert "imminent node shutdown" in state.message
    assert simulation.next_change() == float("inf")


@pytest.mark.parametrize(
    "more, left", [({"checkpoint_interval": 200}, 200), ({"saves_in": 30}, 100)]
)
def test_what_was_made_anew_waits_for_machines_and_goes_on_from_its_checkpoint(more, left):
    job, world, simulation = recovering("jobset", **more)
    (workload,) = workloads_of(world, "main", "default", "demo")
    world.all = [each for each in world.all if each["kind"] != "Pod"]
    workload["metadata"]["uid"] = "another"
    simulation.uid, simulation.stage = "the first", "ended"
    del workload["status"]
    simulation.tick(1000 + PULL + 510)
    assert phase(world, job) == "pending"
    there = 1000 + PULL + 560
    assert simulation.next_change() == there + PULL
    simulation.tick(there + PULL)
    assert phase(world, job) == "running"
    assert simulation.next_change() == there + PULL + left
    simulation.tick(there + PULL + left)
    assert phase(world, job) == "succeeded"


def _pulling(*images):
    pod = {"containers": [{"name": f"image-{n}", "image": each} for n, each in enumerate(images)]}
    return {
        "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "colony-images"},
        "spec": {"template": {"spec": pod}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("images", "gpus", "expected"),
    [
        (["example.com/a:1"], True, True),
        (["example.com/b:1", "example.com/a:1"], True, True),
        (["example.com/b:1"], True, False),
        ([], True, False),
        (["example.com/a:1"], False, False),  # its pods are on other nodes
    ],
)
def test_an_image_is_pulled_ahead_where_a_daemon_set_has_it(images, gpus, expected):
    need = {"resources": {"accelerators": "A10G:1"}} if gpus else {}
    world, simulation = simulated(job_of("jobset", image="example.com/a:1", **need))
    if images:
        world.put_object("main", _pulling(*images))
    assert pulled_ahead(world, simulation) is expected


def test_what_is_pulled_ahead_is_not_waited_for_but_on_a_new_machine():
    _, simulation = simulated(job_of("jobset"))
    simulation.pulled = 900.0
    simulation.tick(1000)
    assert simulation.stage == "running"
    simulation.take(1500.0, back=60.0, notice=30.0)
    assert simulation.pulled == 1560 + PULL


def test_an_image_that_is_still_pulled_is_waited_for():
    _, simulation = simulated(job_of("jobset"))
    simulation.pulled = 1050.0
    simulation.tick(1000)
    assert simulation.next_change() == 1050
    simulation.tick(1050)
    assert simulation.stage == "running"
