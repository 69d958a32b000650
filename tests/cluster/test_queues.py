"""What `queues:` becomes, on real Kueue: quotas are lent, and given back."""

import pytest
from testbed.cluster import has

from colony.agent.codec import read_spec
from colony.agent.worker import worker_pod
from components.placement import ClusterPlacement, PoolPlacement
from components.quota import queue_objects
from components.spec import ColonySpec
from jobs.backends import render
from jobs.context import JobContext
from jobs.spec import Job

WORKLOAD = "kueue.x-k8s.io/v1beta2/Workload"
PROJECTS = [
    {"project": "lender", "gpus": 16, "borrow": 0},
    {"project": "borrower", "gpus": 8, "borrow": 16},
]
ENDLESS = {f"pod-complete.stage.kwok.x-k8s.io/{name}": "1h" for name in ("delay", "jitter-delay")}


@pytest.fixture
def projects(cluster, kueue):
    """Namespaces and queues of two projects, as a colony makes them, on 24 GPUs."""
    spec = ColonySpec(name="shared", queues=PROJECTS)
    pool = PoolPlacement(
        name="gpu", instance_type="p5.48xlarge", accelerator="H100", accelerator_count=8, nodes=3,
        cpus=192, memory_gib=2048, price_per_node_hour=1,
    )  # fmt: skip
    place = ClusterPlacement(name="main", cloud="aws", region="us-east-1", pools=[pool])
    objects = queue_objects(spec, place, [], labelled=False)
    for name in ("lender", "borrower"):
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    cluster.apply(*objects)
    for each in objects:
        if each["kind"] == "ClusterQueue":
            kind = f"{each['apiVersion']}/ClusterQueue"
            cluster.condition(kind, each["metadata"]["name"], "Active")
    yield
    for name in ("lender", "borrower"):
        cluster.delete("v1/Namespace", name)
        cluster.assert_gone("v1/Namespace", name)
    for each in reversed(objects):
        place = each["metadata"].get("namespace")
        if not place:
            kind = f"{each['apiVersion']}/{each['kind']}"
            cluster.delete(kind, each["metadata"]["name"])
            cluster.assert_gone(kind, each["metadata"]["name"])


def job(project, name, nodes):
    limits = {"nvidia.com/gpu": 8}
    container = {"name": "c", "image": "fake/train:1", "resources": {"limits": limits}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": project,
            "labels": {"kueue.x-k8s.io/queue-name": project},
        },
        "spec": {
            "suspend": True,
            "parallelism": nodes,
            "completions": nodes,
            "template": {
                "metadata": {"annotations": ENDLESS},
                "spec": {"restartPolicy": "Never", "containers": [container]},
            },
        },
    }


def workload(cluster, project):
    found = cluster.list(WORKLOAD, project)
    return found[0] if found else {}


def test_a_project_borrows_idle_gpus_and_gives_them_back(cluster, projects):
    cluster.apply(job("borrower", "big", 3))
    cluster.wait(lambda: has(workload(cluster, "borrower"), "Admitted"))

    cluster.apply(job("lender", "own", 2))
    cluster.wait(lambda: has(workload(cluster, "lender"), "Admitted"))
    taken = workload(cluster, "borrower")
    assert not has(taken, "Admitted")
    [why] = [c for c in taken["status"]["conditions"] if c["type"] == "Preempted"]
    assert why["reason"] == "InCohortReclamation"

    cluster.delete("batch/v1/Job", "own", "lender")
    cluster.wait(lambda: has(workload(cluster, "borrower"), "Admitted"))


def test_nobody_borrows_more_than_the_limit(cluster, projects):
    cluster.apply(job("lender", "own", 3))  # its 16 and no more
    cluster.apply(job("borrower", "small", 1))
    cluster.wait(lambda: has(workload(cluster, "borrower"), "Admitted"))
    assert not has(workload(cluster, "lender"), "Admitted")


def elastic(queue):
    worker = {"replicas": 1, "resources": {"accelerators": "H100:8"}}
    return Job.model_validate(
        {
            "name": "grows", "framework": "horovod", "backend": "jobset", "queue": queue,
            "image": "fake/train:1", "run": "true", "elastic": {"min": 1, "max": 3},
            "roles": {"launcher": {}, "worker": worker},
        }
    )  # fmt: skip


def workers_of(cluster, queue):
    """Three of an elastic job's, as its agent makes them."""
    rendered = render(elastic(queue), JobContext("lab", "bed", "existing", "", namespace=queue))
    [wanted] = [each for each in rendered if each["metadata"]["name"] == "grows-elastic-spec"]
    [made] = cluster.apply(wanted)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "grows-elastic-spec",
             "uid": made["metadata"]["uid"]}  # fmt: skip
    spec = read_spec(wanted["data"])
    return [worker_pod(spec, spec.name(index), index, owner) for index in range(3)]


def gated(cluster, project):
    pods = cluster.list("v1/Pod", project, labels="colony.dev/role=worker")
    return sorted(each["metadata"]["name"] for each in pods if each["spec"].get("schedulingGates"))


def test_workers_of_an_elastic_job_wait_for_their_share_of_the_quota(cluster, projects):
    for pod in workers_of(cluster, "lender"):  # whose 16 GPUs are two of them
        cluster.apply(pod, namespace="lender")
    cluster.wait(lambda: len(gated(cluster, "lender")) == 1, message="two to be admitted")
    [waiting] = gated(cluster, "lender")
    first = next(name for name in ("grows-worker-0", "grows-worker-1") if name != waiting)
    cluster.delete("v1/Pod", first, "lender")
    cluster.wait(lambda: not gated(cluster, "lender"), message="the third to be admitted")


def test_pods_of_the_system_are_not_held_whatever_they_say(cluster, projects):
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "dns", "labels": {"kueue.x-k8s.io/queue-name": "lender"}},
        "spec": {"containers": [{"name": "c", "image": "fake/dns:1"}]},
    }  # fmt: skip
    [held] = cluster.apply(pod, namespace="lender")
    [free] = cluster.apply(pod, namespace="kube-system")
    cluster.delete("v1/Pod", "dns", "kube-system")
    assert {"name": "kueue.x-k8s.io/admission"} in held["spec"]["schedulingGates"]
    assert "schedulingGates" not in free["spec"]
