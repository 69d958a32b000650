"""What the back ends render, through the real controllers, on fake nodes."""

import pytest
from kubernetes.dynamic.exceptions import ForbiddenError

from colony.lifecycle.kinds import WORKLOADS
from colony.lifecycle.kube import Kube
from jobs.backends import KINDS, render
from jobs.context import JobContext
from jobs.pairs import published
from jobs.policy import Policy, Restart
from jobs.spec import Backend, Framework, Job, Resources, Role

CONTROLLERS = ("jobset", "mpi", "trainer", "kuberay", "volcano", "kueue")
# The first test also waits for the controllers to start.
pytestmark = [pytest.mark.timeout(400), pytest.mark.controllers(*CONTROLLERS)]
ENDED_WELL = {"Completed", "Complete", "Succeeded", "SUCCEEDED"}
ENDED_BADLY = {"Failed", "Terminated", "Aborted", "FAILED"}
CHAOS = "pod-container-running-failed.stage.kwok.x-k8s.io"


def paced(stage, delay):
    """A template whose pods take that long for a stage of kwok's."""
    name = f"{stage}.stage.kwok.x-k8s.io"
    return {"metadata": {"annotations": {f"{name}/delay": delay, f"{name}/jitter-delay": delay}}}


LASTING = paced("pod-complete", "1h")
QUOTA = """
apiVersion: kueue.x-k8s.io/v1beta2
kind: ResourceFlavor
metadata: {name: %(name)s}
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: ClusterQueue
metadata: {name: %(name)s}
spec:
  namespaceSelector: {}
  resourceGroups:
    - coveredResources: [cpu, memory, nvidia.com/gpu]
      flavors:
        - name: %(name)s
          resources:
            - {name: cpu, nominalQuota: 100}
            - {name: memory, nominalQuota: 1000Gi}
            - {name: nvidia.com/gpu, nominalQuota: 2}
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: LocalQueue
metadata: {name: research}
spec: {clusterQueue: %(name)s}
"""
FAILING = {
    "metadata": {
        "labels": {CHAOS: "true"},
        "annotations": {f"{CHAOS}/exit-code": "3"},
    }
}


@pytest.fixture(scope="session")
def engines(controllers):
    """Every controller that a back end needs."""
    controllers.start(*CONTROLLERS)
    return controllers


def put(cluster, namespace, job):
    """All objects of a job in their order; the last."""
    context = JobContext("spring", "main", "existing", "", namespace=namespace)
    manifests = render(job, context)
    for manifest in manifests:
        cluster.wait(lambda each=manifest: taken(cluster, each, namespace), 30, "to be let in")
    return manifests


def taken(cluster, manifest, namespace):
    """Trainer's webhook learns of a runtime a moment after the API server."""
    try:
        cluster.apply(manifest, namespace=namespace)
    except ForbiddenError as refused:
        if "must be created before" not in str(refused.body):
            raise
        return False
    return True


def kind_of(job):
    return "/".join(KINDS[job.backend])


def ends(cluster, namespace, job, name, wanted):
    """The workload once its status says one of `wanted`."""
    return cluster.wait_for(
        kind_of(job), name, lambda each: wanted & words(each), namespace, seconds=240
    )


def words(workload):
    """Every word by which an engine says how far a job is."""
    status = workload.get("status", {})
    conditions = {c["type"] for c in status.get("conditions") or [] if c.get("status") == "True"}
    return conditions | {status.get("state", {}).get("phase"), status.get("jobStatus")}


def small(framework, backend, **more):
    given = {"nodes": 2, "resources": Resources(accelerators="H100:1"), "run": "train"}
    return Job(**{"name": "train", "framework": framework, "backend": backend, **given, **more})


def pods(cluster, namespace, role=""):
    labels = "colony.dev/job=train" + (f",colony.dev/role={role}" if role else "")
    return cluster.list("v1/Pod", namespace, labels=labels)


def test_every_published_pair_runs_to_its_end(cluster, namespace, engines):
    jobs = [
        small(framework, backend, name=f"{framework.value}-{backend.value}")
        for framework, backend in published()
    ]
    made = {job.name: put(cluster, namespace, job)[-1] for job in jobs}
    for job in jobs:
        name = made[job.name]["metadata"]["name"]
        ended = ends(cluster, namespace, job, name, ENDED_WELL | ENDED_BADLY)
        assert words(ended) & ENDED_WELL, (job.name, ended["status"])


def test_a_role_of_a_jobset_starts_when_the_one_before_it_has_succeeded(
    cluster, namespace, engines
):
    after = [{"role": "prepare", "phase": "Succeeded"}]
    roles = {"train": Role(depends_on=after, replicas=2), "prepare": Role()}
    job = small(Framework.CUSTOM, Backend.JOBSET, nodes=1, roles=roles)
    put(cluster, namespace, job)
    ends(cluster, namespace, job, "train", {"Completed"})
    jobs = {each["metadata"]["name"]: each for each in cluster.list("batch/v1/Job", namespace)}
    first, second = jobs["train-prepare-0"], jobs["train-train-0"]
    assert first["status"]["completionTime"] <= second["metadata"]["creationTimestamp"]


@pytest.mark.parametrize("backend", [Backend.JOBSET, Backend.TRAINJOB, Backend.MPIJOB])
def test_no_launcher_is_made_before_its_workers_are_ready(cluster, namespace, engines, backend):
    job = small(
        Framework.MPI, backend, nodes=1,
        roles={"launcher": Role(), "worker": Role(replicas=3, template=paced("pod-ready", "3s"))},
    )  # fmt: skip
    put(cluster, namespace, job)
    seen = cluster.wait(lambda: pods(cluster, namespace, "launcher"), 60, "the launcher")
    workers = pods(cluster, namespace, "worker")
    assert len(workers) == 3
    ready = [
        condition["lastTransitionTime"]
        for worker in workers
        for condition in worker["status"]["conditions"]
        if condition["type"] == "Ready"
    ]
    assert len(ready) == 3
    assert max(ready) <= seen[0]["metadata"]["creationTimestamp"]


@pytest.mark.parametrize(
    ("framework", "backend", "role"),
    [
        (Framework.PYTORCH, Backend.JOBSET, "worker"),
        (Framework.PYTORCH, Backend.JOB, "worker"),
        (Framework.PYTORCH, Backend.VOLCANO, "worker"),
        (Framework.PYTORCH, Backend.TRAINJOB, "worker"),
        (Framework.MPI, Backend.MPIJOB, "launcher"),
        (Framework.MPI, Backend.VOLCANO, "launcher"),
    ],
)
def test_a_failing_role_fails_the_job_and_its_pod_stays_for_the_logs(
    cluster, namespace, engines, framework, backend, role
):
    others = {"worker": Role(template=LASTING)} if role == "launcher" else {}
    job = small(framework, backend, nodes=1, roles={**others, role: Role(template=FAILING)})
    name = put(cluster, namespace, job)[-1]["metadata"]["name"]
    ended = ends(cluster, namespace, job, name, ENDED_WELL | ENDED_BADLY)
    assert words(ended) & ENDED_BADLY
    (failed,) = pods(cluster, namespace, role)
    (container,) = failed["status"]["containerStatuses"]
    assert container["state"]["terminated"]["exitCode"] == 3


def test_a_rayjob_fails_with_its_script(cluster, namespace, engines):
    engines.dashboards.ends("train", "FAILED")
    job = small(Framework.RAY, Backend.RAYJOB)
    put(cluster, namespace, job)
    assert "FAILED" in words(ends(cluster, namespace, job, "train", ENDED_BADLY | ENDED_WELL))
    engines.dashboards.ends("train", "SUCCEEDED")


def test_ray_workers_have_an_index_and_the_head_a_name(cluster, namespace, engines):
    engines.dashboards.ends("train", "RUNNING")
    job = small(Framework.RAY, Backend.RAYJOB, nodes=4)
    put(cluster, namespace, job)
    workers = cluster.wait(
        lambda: len(found := pods(cluster, namespace, "worker")) == 3 and found, 60, "3 workers"
    )
    label = "ray.io/worker-group-replica-index"
    assert sorted(each["metadata"]["labels"][label] for each in workers) == ["0", "1", "2"]
    (head,) = pods(cluster, namespace, "head")
    assert (head["spec"]["hostname"], head["spec"]["subdomain"]) == ("train-head-0", "train")
    assert head["spec"]["containers"][0]["command"][0] == "bash"
    engines.dashboards.ends("train", "SUCCEEDED")


def test_an_evicted_pod_of_a_volcano_gang_ends_the_job(cluster, namespace, engines):
    roles = {"worker": Role(replicas=4, template=LASTING)}
    job = small(Framework.PYTORCH, Backend.VOLCANO, nodes=1, roles=roles)
    put(cluster, namespace, job)
    ends(cluster, namespace, job, "train", {"Running"})
    cluster.delete("v1/Pod", "train-worker-2", namespace, grace=0)
    ended = ends(cluster, namespace, job, "train", ENDED_BADLY | ENDED_WELL)
    assert words(ended) & ENDED_BADLY
    cluster.wait(lambda: not pods(cluster, namespace), 60, "no pod to be left")


def test_program_errors_are_final_with_restart_by_exit_code(cluster, namespace, engines):
    roles = {"worker": Role(template=FAILING, restart=Restart.EXIT_CODE)}
    policy = Policy(backoff_limit=5)
    job = small(Framework.PYTORCH, Backend.JOBSET, nodes=1, roles=roles, policy=policy)
    put(cluster, namespace, job)
    ended = ends(cluster, namespace, job, "train", {"Failed", "Completed"})
    assert "Failed" in words(ended)
    assert ended["status"].get("restarts", 0) == 0
    assert len(pods(cluster, namespace)) == 1


@pytest.mark.parametrize(
    ("framework", "backend", "resume"),
    [
        (Framework.PYTORCH, Backend.JOBSET, {"suspend": False}),
        (Framework.PYTORCH, Backend.JOB, {"suspend": False}),
        (Framework.PYTORCH, Backend.TRAINJOB, {"suspend": False}),
        (Framework.MPI, Backend.MPIJOB, {"runPolicy": {"suspend": False}}),
        (Framework.RAY, Backend.RAYJOB, {"suspend": False}),
    ],
)
def test_a_suspended_job_has_no_pods_until_it_is_resumed_by_a_new_apply(
    cluster, namespace, engines, framework, backend, resume
):
    job = small(framework, backend, suspend=True)
    workload = put(cluster, namespace, job)[-1]
    name = workload["metadata"]["name"]
    cluster.wait(lambda: cluster.get(kind_of(job), name, namespace).get("status"), 60, "a status")
    assert pods(cluster, namespace) == []
    resumed = put(cluster, namespace, job.model_copy(update={"suspend": False}))[-1]
    assert resumed["metadata"]["annotations"] == workload["metadata"]["annotations"]
    assert words(ends(cluster, namespace, job, name, ENDED_WELL | ENDED_BADLY)) & ENDED_WELL


@pytest.fixture
def quota(cluster, namespace, engines):
    """Two GPUs for the queue `research` of the namespace."""
    cluster.apply(QUOTA % {"name": namespace}, namespace=namespace)
    yield
    cluster.delete("kueue.x-k8s.io/v1beta2/ClusterQueue", namespace)
    cluster.delete("kueue.x-k8s.io/v1beta2/ResourceFlavor", namespace)


QUEUED = [
    (Framework.PYTORCH, Backend.JOBSET),
    (Framework.PYTORCH, Backend.JOB),
    (Framework.PYTORCH, Backend.TRAINJOB),
    (Framework.MPI, Backend.MPIJOB),
    (Framework.RAY, Backend.RAYJOB),
]


def test_kueue_admits_every_kind_as_a_gang_when_there_is_quota(cluster, namespace, quota):
    """Each asks for all of the quota, so they run one after the other."""
    jobs = [
        small(framework, backend, name=f"queued-{backend.value}", queue="research")
        for framework, backend in QUEUED
    ]
    names = {job.name: put(cluster, namespace, job)[-1]["metadata"]["name"] for job in jobs}
    for job in jobs:
        ended = ends(cluster, namespace, job, names[job.name], ENDED_WELL | ENDED_BADLY)
        assert words(ended) & ENDED_WELL, (job.name, ended["status"])
    workloads = cluster.list("kueue.x-k8s.io/v1beta2/Workload", namespace)
    counts = [
        sum(each["count"] for each in workload["spec"]["podSets"] if _gpus(each))
        for workload in workloads
    ]
    assert counts == [2] * len(QUEUED)


def test_a_job_larger_than_the_quota_stays_suspended_without_pods(cluster, namespace, quota):
    job = small(Framework.PYTORCH, Backend.JOBSET, nodes=3, queue="research")
    put(cluster, namespace, job)
    kind = "kueue.x-k8s.io/v1beta2/Workload"
    found = cluster.wait(lambda: cluster.list(kind, namespace), 60, "a workload")[0]
    cluster.wait_for(
        kind, found["metadata"]["name"],
        lambda each: "insufficient" in str(each.get("status", {}).get("conditions")), namespace,
    )  # fmt: skip
    assert cluster.get(kind_of(job), "train", namespace)["spec"]["suspend"] is True
    assert pods(cluster, namespace) == []


def _gpus(pod_set):
    containers = pod_set["template"]["spec"]["containers"]
    return any("nvidia.com/gpu" in str(each.get("resources")) for each in containers)


@pytest.mark.parametrize(
    ("framework", "backend"),
    [(Framework.RAY, Backend.RAYJOB), (Framework.MPI, Backend.MPIJOB)]
    + [
        (Framework.MPI, b) for b in (Backend.JOBSET, Backend.JOB, Backend.VOLCANO, Backend.TRAINJOB)
    ],
)
def test_a_job_that_ran_is_deleted_without_a_trace(cluster, namespace, engines, framework, backend):
    job = small(framework, backend)
    manifests = put(cluster, namespace, job)
    name = manifests[-1]["metadata"]["name"]
    ends(cluster, namespace, job, name, ENDED_WELL | ENDED_BADLY)
    for manifest in reversed(manifests):
        kind = f"{manifest['apiVersion']}/{manifest['kind']}"
        cluster.delete(kind, manifest["metadata"]["name"], namespace)
        cluster.assert_gone(kind, manifest["metadata"]["name"], namespace)
    cluster.wait(lambda: not cluster.leftovers(namespace), 60, "nothing to be left")


STAYING = Role(replicas=2, template=LASTING)


@pytest.mark.parametrize(
    ("framework", "backend", "roles"),
    [
        (Framework.PYTORCH, Backend.JOBSET, {"worker": STAYING}),
        (Framework.PYTORCH, Backend.JOB, {"worker": STAYING}),
        (Framework.PYTORCH, Backend.VOLCANO, {"worker": STAYING}),
        (Framework.PYTORCH, Backend.TRAINJOB, {"worker": STAYING}),
        (Framework.MPI, Backend.MPIJOB, {"launcher": Role(template=LASTING), "worker": STAYING}),
        (Framework.RAY, Backend.RAYJOB, {"head": Role(), "worker": STAYING}),
    ],
)
def test_a_job_is_made_anew_with_none_of_its_old_pods(
    cluster, namespace, engines, plane, framework, backend, roles
):
    """As a run does it whose machines were taken; the objects stay those of who applied them."""
    engines.dashboards.ends("train", "RUNNING")
    manifest = put(cluster, namespace, small(framework, backend, nodes=1, roles=roles))[-1]
    manifest["metadata"]["namespace"] = namespace
    old = both_running(cluster, namespace)
    kube = Kube(plane.kubeconfig.read_text())
    (before,) = own(kube, backend, namespace)

    kube.restart(manifest)

    (after,) = own(kube, backend, namespace)
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert appliers(after) == appliers(before) != set()
    assert not old & both_running(cluster, namespace)
    engines.dashboards.ends("train", "SUCCEEDED")
    kube.delete(WORKLOADS[backend.value], namespace, before["metadata"]["name"])
    cluster.wait(lambda: not pods(cluster, namespace), 120, "its GPUs to be free again")


def both_running(cluster, namespace):
    """The UIDs of the workers."""

    def look():
        found = pods(cluster, namespace, "worker")
        running = [p for p in found if (p.get("status") or {}).get("phase") == "Running"]
        return {pod["metadata"]["uid"] for pod in running} if len(running) == 2 else None

    return cluster.wait(look, 120, "two workers to run")


def own(kube, backend, namespace):
    found = kube.objects(WORKLOADS[backend.value], namespace)
    return [each for each in found if not each["metadata"].get("ownerReferences")]


def appliers(thing):
    managers = thing["metadata"]["managedFields"]
    return {each["manager"] for each in managers if each["operation"] == "Apply"}
