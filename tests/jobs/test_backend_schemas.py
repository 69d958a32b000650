"""Every rendered custom resource fits the definition that its engine's release brings."""

import pytest
from schemas import crds_folder, misfits, schema_of

from jobs.backends import render
from jobs.context import JobContext
from jobs.pairs import published
from jobs.policy import CleanUp, Policy, Restart
from jobs.spec import Backend, Framework, Job, Output, Resources, Role, Toleration, Volume

CONTEXT = JobContext(
    colony="spring", cluster="main", cloud="aws", region="us-east-1",
    env_secret="demo-env", code_secret="demo-code", code_sha256="0" * 64,
    node_selector={"colony.dev/pool": "h100"}, instance_type="p5.48xlarge",
)  # fmt: skip
DEFINITIONS = {
    "JobSet": "jobset/jobset.x-k8s.io_jobsets.yaml",
    "TrainJob": "kubeflow-trainer/trainer.kubeflow.org_trainjobs.yaml",
    "TrainingRuntime": "kubeflow-trainer/trainer.kubeflow.org_trainingruntimes.yaml",
    "MPIJob": "mpi-operator/kubeflow.org_mpijobs.yaml",
    "RayJob": "kuberay/ray.io_rayjobs.yaml",
    "Job": "volcano/batch.volcano.sh_jobs.yaml",
}
PLAIN = ("v1", "batch/v1")
PAIRS = published()


def custom_resources(job):
    return [each for each in render(job, CONTEXT) if each["apiVersion"] not in PLAIN]


def problems(manifest):
    if not crds_folder().is_dir():
        pytest.skip(f"no CustomResourceDefinitions in {crds_folder()}")
    version = manifest["apiVersion"].rpartition("/")[2]
    schema = schema_of(DEFINITIONS[manifest["kind"]], version)
    return list(misfits(manifest, schema))


def full(framework, backend):
    """A job that says everything its back end can say."""
    gang = {"gang": 2} if backend is Backend.VOLCANO else {}
    queued = backend is not Backend.JOB
    return Job(
        name="demo",
        framework=framework,
        backend=backend,
        nodes=3,
        run="train",
        secrets={"TOKEN": "s3cr3t"},
        resources=Resources(accelerators="H100:8", cpus="4+", memory="64"),
        policy=Policy(
            ttl=60, clean_up=CleanUp.ALL,
            backoff_limit=2 if queued else 0, **gang,
        ),
        queue="research" if queued else None,
        priority="high" if queued else None,
        spread=True,
        shared_memory="64",
        tolerations=[Toleration(key="spot", operator="Exists")],
        volumes=[Volume(path="/data", claim="data"), Volume(path="/fast", memory="2")],
        image_pull_secrets=["registry"],
        outputs=[Output(path="out", to="s3://bucket/demo")],
    )  # fmt: skip


@pytest.mark.parametrize(("framework", "backend"), [p for p in PAIRS if p[1] is not Backend.JOB])
@pytest.mark.parametrize("make", [lambda f, b: Job(name="demo", framework=f, backend=b), full])
def test_manifests_fit_their_definitions(framework, backend, make):
    found = custom_resources(make(framework, backend))
    assert found
    for manifest in found:
        assert problems(manifest) == []


@pytest.mark.parametrize("restart", Restart)
@pytest.mark.parametrize("backend", [Backend.JOBSET, Backend.VOLCANO])
def test_every_restart_policy_that_an_engine_has_fits(restart, backend):
    if backend is Backend.JOBSET and restart is Restart.ALWAYS:
        pytest.skip("refused: see test_backends.py")
    roles = {"a": Role(replicas=2), "b": Role(restart=restart, depends_on=["a"])}
    policy = Policy(success=[["a"]])
    made = Job(name="demo", framework=Framework.CUSTOM, backend=backend, roles=roles, policy=policy)
    for manifest in custom_resources(made):
        assert problems(manifest) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"spec": {"replicas": 1}}, ".spec.replicas: unknown"),
        ({"spec": 1}, ".spec: 1 is not object"),
    ],
)
def test_the_check_finds_what_does_not_fit(change, found):
    (jobset,) = custom_resources(Job(name="demo"))
    assert found in problems({**jobset, **change})
