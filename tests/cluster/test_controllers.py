"""Each controller, as its project ships it, takes an object of its kind to its end."""

import pytest
from kubernetes.client import ApiException

JOBSET = """
apiVersion: jobset.x-k8s.io/v1alpha2
kind: JobSet
metadata: {name: train}
spec:
  replicatedJobs:
    - name: leader
      template: &job
        spec:
          parallelism: 1
          completions: 1
          template:
            spec:
              containers: [{name: main, image: fake/train:1}]
    - name: worker
      dependsOn: [{name: leader, status: Ready}]
      template: *job
"""
QUEUE = """
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
    - coveredResources: [nvidia.com/gpu]
      flavors: [{name: %(name)s, resources: [{name: nvidia.com/gpu, nominalQuota: 8}]}]
---
apiVersion: kueue.x-k8s.io/v1beta2
kind: LocalQueue
metadata: {name: queue}
spec: {clusterQueue: %(name)s}
"""
QUEUED = """
apiVersion: batch/v1
kind: Job
metadata: {name: %s, labels: {kueue.x-k8s.io/queue-name: queue}}
spec:
  template:
    metadata:
      annotations: {pod-complete.stage.kwok.x-k8s.io/delay: %s}
    spec:
      restartPolicy: Never
      containers: [{name: main, image: fake/train:1, resources: {limits: {nvidia.com/gpu: 8}}}]
"""
MPIJOB = """
apiVersion: kubeflow.org/v2beta1
kind: MPIJob
metadata: {name: train}
spec:
  slotsPerWorker: 8
  runPolicy: {cleanPodPolicy: Running}
  mpiReplicaSpecs:
    Launcher:
      replicas: 1
      template: &pod
        spec: {containers: [{name: main, image: fake/mpi:1}]}
    Worker:
      replicas: 2
      template: *pod
"""
TRAINJOB = """
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: train}
spec:
  runtimeRef: {name: torch-distributed}
  trainer: {image: fake/train:1, numNodes: 2, numProcPerNode: 8}
"""
RAYJOB = """
apiVersion: ray.io/v1
kind: RayJob
metadata: {name: %s}
spec:
  entrypoint: python train.py
  rayClusterSpec:
    rayVersion: "2.50.0"
    headGroupSpec:
      rayStartParams: {}
      template: &pod
        spec: {containers: [{name: ray, image: fake/ray:1}]}
    workerGroupSpecs:
      - groupName: gpus
        replicas: 1
        minReplicas: 1
        maxReplicas: 1
        rayStartParams: {}
        template: *pod
"""
VCJOB = """
apiVersion: batch.volcano.sh/v1alpha1
kind: Job
metadata: {name: %s}
spec:
  schedulerName: volcano
  minAvailable: %d
  tasks:
    - name: worker
      replicas: %d
      template:
        spec:
          restartPolicy: Never
          containers: [{name: main, image: fake/train:1, resources: {limits: {nvidia.com/gpu: 8}}}]
"""


def test_a_jobset_completes_and_its_second_role_waits_for_its_first(cluster, namespace, jobset):
    cluster.apply(JOBSET, namespace=namespace)
    cluster.condition("jobset.x-k8s.io/v1alpha2/JobSet", "train", "Completed", namespace)
    jobs = {each["metadata"]["name"]: each for each in cluster.list("batch/v1/Job", namespace)}
    assert set(jobs) == {"train-leader-0", "train-worker-0"}
    began = {name: each["metadata"]["creationTimestamp"] for name, each in jobs.items()}
    assert began["train-leader-0"] < began["train-worker-0"]


def test_the_jobset_webhooks_default_and_refuse(cluster, namespace, jobset):
    (made,) = cluster.apply(JOBSET, namespace=namespace)
    assert made["spec"]["network"]["enableDNSHostnames"] is True
    assert made["spec"]["successPolicy"]["operator"] == "All"
    with pytest.raises(ApiException) as refused:
        cluster.apply(JOBSET.replace("name: train}", f"name: {'t' * 60}}}"), namespace=namespace)
    assert "vjobset.kb.io" in str(refused.value.body)


def test_kueue_admits_one_job_at_a_time_into_a_quota_of_one(cluster, namespace, kueue):
    cluster.apply(QUEUE % {"name": namespace}, namespace=namespace)
    try:
        first, second = cluster.apply(
            QUEUED % ("first", "3s"), QUEUED % ("second", "1s"), namespace=namespace
        )
        assert first["spec"]["suspend"] is True
        assert second["spec"]["suspend"] is True
        cluster.wait_for("batch/v1/Job", "first", lambda job: not job["spec"]["suspend"], namespace)
        assert cluster.get("batch/v1/Job", "second", namespace)["spec"]["suspend"]
        one = cluster.condition("batch/v1/Job", "first", "Complete", namespace)
        two = cluster.condition("batch/v1/Job", "second", "Complete", namespace)
        assert two["status"]["startTime"] >= one["status"]["completionTime"]
        workloads = cluster.list("kueue.x-k8s.io/v1beta2/Workload", namespace)
        assert len(workloads) == 2
    finally:
        cluster.delete("kueue.x-k8s.io/v1beta2/ClusterQueue", namespace)
        cluster.delete("kueue.x-k8s.io/v1beta2/ResourceFlavor", namespace)


def test_kueue_converts_between_the_versions_of_its_kinds(cluster, namespace, kueue):
    cluster.apply(QUEUE % {"name": namespace}, namespace=namespace)
    try:
        old = cluster.get("kueue.x-k8s.io/v1beta1/ClusterQueue", namespace)
        assert old["apiVersion"] == "kueue.x-k8s.io/v1beta1"
        assert old["spec"]["resourceGroups"][0]["coveredResources"] == ["nvidia.com/gpu"]
    finally:
        cluster.delete("kueue.x-k8s.io/v1beta2/ClusterQueue", namespace)
        cluster.delete("kueue.x-k8s.io/v1beta2/ResourceFlavor", namespace)


def test_an_mpijob_has_workers_a_hostfile_and_succeeds(cluster, namespace, mpi):
    cluster.apply(MPIJOB, namespace=namespace)
    cluster.condition("kubeflow.org/v2beta1/MPIJob", "train", "Succeeded", namespace)
    hosts = cluster.get("v1/ConfigMap", "train-config", namespace)["data"]["hostfile"]
    assert [line.split(".")[0] for line in hosts.splitlines()] == [
        "train-worker-0",
        "train-worker-1",
    ]


def test_a_trainjob_becomes_a_jobset_and_completes(cluster, namespace, trainer):
    cluster.apply(TRAINJOB, namespace=namespace)
    cluster.condition("trainer.kubeflow.org/v1alpha1/TrainJob", "train", "Complete", namespace)
    made = cluster.get("jobset.x-k8s.io/v1alpha2/JobSet", "train", namespace)
    (node,) = made["spec"]["replicatedJobs"]
    assert node["template"]["spec"]["parallelism"] == 2


def test_the_trainer_refuses_a_runtime_that_is_not_there(cluster, namespace, trainer):
    with pytest.raises(ApiException) as refused:
        cluster.apply(TRAINJOB.replace("torch-distributed", "nowhere"), namespace=namespace)
    assert "nowhere" in str(refused.value.body)


@pytest.mark.parametrize(
    ("name", "outcome", "deployment"),
    [("good", "SUCCEEDED", "Complete"), ("bad", "FAILED", "Failed")],
)
def test_a_rayjob_gets_its_cluster_and_ends_as_its_job_does(
    cluster, namespace, kuberay, name, outcome, deployment
):
    kuberay.dashboards.ends(name, outcome)
    cluster.apply(RAYJOB % name, namespace=namespace)
    job = cluster.wait_for(
        "ray.io/v1/RayJob",
        name,
        lambda each: each.get("status", {}).get("jobDeploymentStatus") == deployment,
        namespace,
    )
    assert job["status"]["jobStatus"] == outcome
    pods = cluster.list("v1/Pod", namespace, labels="ray.io/node-type")
    assert {each["metadata"]["labels"]["ray.io/node-type"] for each in pods} == {"head", "worker"}


def test_a_volcano_gang_starts_when_all_fit_and_not_before(cluster, namespace, volcano):
    cluster.apply(VCJOB % ("fits", 4, 4), VCJOB % ("too-large", 5, 5), namespace=namespace)
    kind = "batch.volcano.sh/v1alpha1/Job"

    def phase(name):
        return lambda job: job.get("status", {}).get("state", {}).get("phase") == name

    cluster.wait_for(kind, "fits", phase("Completed"), namespace)
    waiting = cluster.wait_for(kind, "too-large", phase("Pending"), namespace)
    assert waiting["status"].get("running", 0) == 0
    pods = cluster.list("v1/Pod", namespace, labels="volcano.sh/job-name=too-large")
    assert not any(pod["spec"].get("nodeName") for pod in pods)


def test_the_volcano_webhooks_default_and_refuse(cluster, namespace, volcano):
    (made,) = cluster.apply(VCJOB % ("train", 1, 1), namespace=namespace)
    assert made["spec"]["queue"] == "default"
    with pytest.raises(ApiException) as refused:
        cluster.apply(VCJOB % ("greedy", 3, 2), namespace=namespace)
    assert "minAvailable" in str(refused.value.body)
