import pytest

from jobs.importers.skypilot import import_task
from jobs.problems import NotHonoured, Unbuilt
from jobs.recovery import Recovery

SECRET = "hunter2"


def job_of(**task):
    result = import_task({"run": "true", **task}, "task")
    assert not result.problems, result.problems
    return result.job


def problems_of(**task):
    result = import_task({"run": "true", **task}, "task")
    assert (result.job is None) == bool(result.problems)
    return result.problems


def test_the_task_of_konduktors_readme_is_taken_as_it_is():
    labels = {
        "kueue.x-k8s.io/queue-name": "user-queue",
        "kueue.x-k8s.io/priority-class": "low-priority",
        "max-run-duration-seconds": "3600",
    }
    job = job_of(
        num_nodes=100,
        resources={"accelerators": "H100:8", "cloud": "kubernetes", "labels": labels},
        setup="pip install torch",
        run="torchrun --rdzv_endpoint=$master_addr:1234 --nnodes $num_nodes train.py",
    )
    assert (job.name, job.nodes, job.resources.accelerators) == ("task", 100, "H100:8")
    assert (job.resources.cloud, job.resources.context) == (None, None)
    assert (job.queue, job.priority, job.max_run_time) == ("user-queue", "low-priority", 3600)
    assert job.resources.labels == labels
    assert job.setup == "pip install torch"
    assert "$master_addr" in job.run


def test_every_built_field_arrives():
    job = job_of(
        name="train",
        workdir="src",
        num_nodes=2,
        envs={"A": 1, "B": True, "C": "x"},
        secrets={"TOKEN": SECRET},
        resources={
            "infra": "AWS/us-east-1/us-east-1a",
            "gpus": "a100-80gb:8",
            "cpus": "4+",
            "memory": "64GB+",
            "use_spot": True,
            "instance_type": "p4de.24xlarge",
            "image_id": "docker:ubuntu:22.04",
        },
    )
    assert (job.name, job.workdir, job.nodes, job.image) == ("train", "src", 2, "ubuntu:22.04")
    assert job.envs == {"A": "1", "B": "True", "C": "x"}
    assert job.secrets == {"TOKEN": SECRET}
    need = job.resources
    assert (need.cloud, need.region, need.zone) == ("aws", "us-east-1", "us-east-1a")
    assert (need.accelerators, need.cpus, need.memory) == ("A100-80GB:8", "4+", "64+")
    assert (need.use_spot, need.instance_type) == (True, "p4de.24xlarge")


@pytest.mark.parametrize(
    ("resources", "cloud", "region", "zone", "context"),
    [
        ({"infra": "aws"}, "aws", None, None, None),
        ({"infra": "GCP/us-central1"}, "gcp", "us-central1", None, None),
        ({"infra": "*/us-east-1"}, None, "us-east-1", None, None),
        ({"infra": "*/*/us-east-1a"}, None, None, "us-east-1a", None),
        ({"infra": "*"}, None, None, None, None),
        ({"infra": "k8s"}, None, None, None, None),
        ({"infra": "k8s/*"}, None, None, None, None),
        ({"infra": "Kubernetes/kind"}, "existing", None, None, "kind"),
        ({"infra": "k8s/my/ctx"}, "existing", None, None, "my/ctx"),
        ({"infra": "kubernetes/a:b/c"}, "existing", None, None, "a:b/c"),
        ({"cloud": "kubernetes", "region": "kind"}, "existing", None, None, "kind"),
        ({"cloud": "azure", "region": "eastus"}, "azure", "eastus", None, None),
    ],
)
def test_where_it_may_run(resources, cloud, region, zone, context):
    need = job_of(resources=resources).resources
    assert (need.cloud, need.region, need.zone, need.context) == (cloud, region, zone, context)


@pytest.mark.parametrize(
    ("name", "slug"), [("minGPT-ddp", "mingpt-ddp"), ("a_b", "a-b"), ("3d", "job-3d")]
)
def test_a_name_kubernetes_refuses_is_changed_aloud(name, slug):
    result = import_task({"name": name, "run": "x"}, "task")
    assert result.job.name == slug
    (warning,) = result.warnings
    assert (warning.path, name in warning.message, slug in warning.message) == ("name", True, True)


@pytest.mark.parametrize(("stem", "name"), [("My Task", "my-task"), ("任务", "task")])
def test_a_task_without_a_name_is_named_after_its_file(stem, name):
    result = import_task({"run": "x"}, stem)
    assert (result.job.name, result.warnings) == (name, [])


@pytest.mark.parametrize("name", ["a b", "-a", "a---b", "", "ä", 7, ["a"]])
def test_a_name_skypilot_refuses_is_refused(name):
    assert [p.path for p in problems_of(name=name)] == ["name"]


def test_null_is_as_good_as_absent():
    job = job_of(resources=None, num_nodes=None, setup=None, workdir=None, file_mounts=None)
    assert (job.nodes, job.resources.accelerators) == (1, None)
    assert job_of(resources={"any_of": None, "accelerators": None}).resources.accelerators is None


@pytest.mark.parametrize("kind", ["service", "pool"])
def test_what_has_no_effect_is_valid_with_a_warning(kind):
    result = import_task({"run": "x", kind: {"workers": 3}}, "task")
    assert result.job is not None
    (warning,) = result.warnings
    assert isinstance(warning, NotHonoured)
    assert (warning.path, warning.message) == (kind, "not honoured")


def test_service_and_pool_exclude_each_other():
    assert [p.path for p in problems_of(service={}, pool={})] == ["pool"]


def test_a_task_with_nothing_to_run_is_warned_about():
    assert [w.path for w in import_task({"setup": "x"}, "task").warnings] == ["run"]


NOT_HONOURED = [
    ({"file_mounts": {"/data": "r2://b"}}, "file_mounts./data"),
    ({"volumes": {"/data": {"size": "1Gi"}}}, "volumes./data"),
    ({"volume_mounts": ["x"]}, "volume_mounts"),
    ({"managed_secrets": ["a"]}, "managed_secrets"),
    ({"event_callback": "x"}, "event_callback"),
    ({"workdir": {"url": "https://x"}}, "workdir"),
    ({"secrets": ["secrets:TOKEN"]}, "secrets[0]"),
    ({"secrets": {"secrets:workspace.TOKEN": None}}, "secrets.secrets:workspace.TOKEN"),
    ({"secrets": {"TOKEN": None}}, "secrets.TOKEN"),
    ({"config": {"docker": {"run_options": ["-v"]}}}, "config.docker.run_options"),
    ({"config": {"hooks": [{"run": "x", "events": ["down"]}]}}, "config.hooks"),
    ({"config": {"kubernetes": {"kueue": {"x": 1}}}}, "config.kubernetes.kueue"),
    ({"resources": {"autostop": {"hook": "x"}}}, "resources.autostop.hook"),
    ({"resources": {"disk_size": 100}}, "resources.disk_size"),
    ({"resources": {"disk_tier": "best"}}, "resources.disk_tier"),
    ({"resources": {"local_disk": "nvme"}}, "resources.local_disk"),
    ({"resources": {"ports": 80}}, "resources.ports"),
    ({"resources": {"priority": 3}}, "resources.priority"),
    ({"resources": {"volumes": [{}]}}, "resources.volumes"),
    ({"resources": {"accelerator_args": {"tpu_name": "x"}}}, "resources.accelerator_args"),
    ({"resources": {"image_id": "ami-1"}}, "resources.image_id"),
    ({"resources": {"image_id": {"us-east-1": "docker:x"}}}, "resources.image_id"),
    ({"resources": {"accelerators": "tpu-v4-8"}}, "resources.accelerators"),
    ({"resources": {"accelerators": "Trainium:16"}}, "resources.accelerators"),
    ({"resources": {"infra": "ssh/rack"}}, "resources.infra"),
    ({"resources": {"infra": "slurm/x"}}, "resources.infra"),
    ({"resources": {"cloud": "lambda"}}, "resources.cloud"),
]


@pytest.mark.parametrize(("task", "path"), NOT_HONOURED, ids=str)
def test_what_has_no_effect_is_valid_and_said_so_that_a_run_is_refused(task, path):
    result = import_task({"run": "x", **task}, "task")
    assert (result.problems, result.job is None) == ([], False)
    (warning,) = result.warnings
    assert isinstance(warning, NotHonoured)
    assert (warning.path, warning.message.partition(":")[0]) == (path, "not honoured")


def test_sizes_of_data_are_for_the_price_of_moving_them():
    task = {"run": "x", "inputs": {"s3://b": 10}, "outputs": {"gs://b": 0.5}}
    result = import_task(task, "task")
    assert (result.problems, result.warnings) == ([], [])
    assert (result.job.reads, result.job.writes) == ({"s3://b": 10}, {"gs://b": 0.5})


def test_a_size_of_data_is_not_negative():
    (problem,) = import_task({"run": "x", "inputs": {"s3://b": -1}}, "task").problems
    assert problem.path.startswith("inputs")


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ({"api_server_access": False}, "api_server_access"),
        ({"resources": {"network_tier": "Best"}}, "resources.network_tier"),
        ({"resources": {"ephemeral_storage": "x"}}, "resources.ephemeral_storage"),
        ({"resources": {"_requires_fuse": True}}, "resources._requires_fuse"),
    ],
    ids=str,
)
def test_what_does_no_harm_is_a_warning_only(task, path):
    result = import_task({"run": "x", **task}, "task")
    assert (result.problems, [w.path for w in result.warnings]) == ([], [path])
    assert not isinstance(result.warnings[0], NotHonoured)


@pytest.mark.parametrize(
    "task",
    [
        {"resources": {"disk_size": 256}},
        {"resources": {"disk_size": "256GB"}},
        {"resources": {"network_tier": "standard"}},
    ],
)
def test_skypilots_own_defaults_ask_for_nothing(task):
    assert import_task({"run": "x", **task}, "task").warnings == []


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ({"num_node": 2}, "num_node"),
        ({"nodes": 2}, "nodes"),
        ({"num_nodes": 0}, "num_nodes"),
        ({"num_nodes": -1}, "num_nodes"),
        ({"num_nodes": 1.5}, "num_nodes"),
        ({"num_nodes": True}, "num_nodes"),
        ({"num_nodes": "two"}, "num_nodes"),
        ({"num_nodes": 10**9}, "num_nodes"),
        ({"run": ["a", "b"]}, "run"),
        ({"setup": ["a"]}, "setup"),
        ({"envs": {"1A": "x"}}, "envs.1A"),
        ({"envs": {"A": None}}, "envs.A"),
        ({"envs": ["A=x"]}, "envs"),
        ({"secrets": {"secrets:A": "x"}}, "secrets.secrets:A"),
        ({"secrets": ["A"]}, "secrets[0]"),
        ({"envs": {"SKYPILOT_DOCKER_PASSWORD": SECRET}}, "envs.SKYPILOT_DOCKER_PASSWORD"),
        ({"secrets": SECRET}, "secrets"),
        ({"resources": []}, "resources"),
        ({"resources": {"bogus": 1}}, "resources.bogus"),
        ({"resources": {"hooks": []}}, "resources.hooks"),
        ({"resources": {"accelerators": "A100:0"}}, "resources.accelerators"),
        ({"resources": {"gpus": "A100:0"}}, "resources.gpus"),
        ({"resources": {"gpus": "A100", "accelerators": "A100"}}, "resources.gpus"),
        ({"resources": {"accelerators": []}}, "resources.accelerators"),
        ({"resources": {"accelerators": {}}}, "resources.accelerators"),
        ({"resources": {"accelerators": 8}}, "resources.accelerators"),
        ({"resources": {"infra": "aws", "cloud": "aws"}}, "resources.infra"),
        ({"resources": {"infra": "aws//x"}}, "resources.infra"),
        ({"resources": {"infra": "aws/a/b/c"}}, "resources.infra"),
        ({"resources": {"infra": "k8s/"}}, "resources.infra"),
        ({"resources": {"infra": 7}}, "resources.infra"),
        ({"resources": {"infra": "asw"}}, "resources.infra"),
        ({"resources": {"infra": "aws/us east"}}, "resources.infra"),
        ({"resources": {"cpus": "abc"}}, "resources.cpus"),
        ({"resources": {"memory": "lots"}}, "resources.memory"),
        ({"resources": {"use_spot": "yes"}}, "resources.use_spot"),
        ({"resources": {"image_id": "docker:<image>"}}, "resources.image_id"),
        ({"resources": {"image_id": "docker:"}}, "resources.image_id"),
        ({"resources": {"labels": ["a"]}}, "resources.labels"),
        (
            {"resources": {"labels": {"kueue.x-k8s.io/queue-name": "Big"}}},
            "resources.labels.kueue.x-k8s.io/queue-name",
        ),
        (
            {"resources": {"labels": {"max-run-duration-seconds": "0"}}},
            "resources.labels.max-run-duration-seconds",
        ),
    ],
    ids=str,
)
def test_what_is_wrong_is_told_in_the_words_of_the_task(task, path):
    found = problems_of(**task)
    assert [p.path for p in found] == [path]
    assert not isinstance(found[0], Unbuilt)
    assert SECRET not in str(found)


def test_every_problem_is_reported_at_once():
    found = problems_of(
        num_nodes=0, file_mounts={"/a": 7}, bogus=1, resources={"cpus": "x", "ports": 0}
    )
    paths = {p.path for p in found}
    assert paths == {"num_nodes", "file_mounts./a", "bogus", "resources.cpus", "resources.ports"}


def test_old_and_misplaced_fields_get_the_right_hint():
    (old,) = problems_of(resources={"spot_recovery": "x"})
    assert old.hint == "did you mean `job_recovery`?"
    (misplaced,) = problems_of(resources={"hooks": []})
    assert "config.hooks" in misplaced.hint


@pytest.mark.parametrize(
    "written, recovery",
    [
        ("failover", Recovery(strategy="FAILOVER")),
        ({"max_restarts_on_errors": 3}, Recovery(max_restarts_on_errors=3)),
        (
            {"strategy": "EAGER_NEXT_REGION", "recover_on_exit_codes": 33},
            Recovery(recover_on_exit_codes=[33]),
        ),
        ({"strategy": None}, Recovery()),
    ],
)
def test_job_recovery_is_the_jobs_recovery(written, recovery):
    result = import_task({"run": "x", "resources": {"job_recovery": written}}, "task")
    assert (result.problems, result.warnings) == ([], [])
    assert result.job.recovery == recovery
    assert result.job.policy.backoff_limit == 0, "its controller must not start it again as well"


def test_a_task_that_says_nothing_has_the_default():
    assert import_task({"run": "x"}, "task").job.recovery is None


def test_machines_of_others_are_not_stopped():
    resources = {"infra": "k8s/theirs", "autostop": True}
    result = import_task({"run": "x", "resources": resources}, "task")
    assert (result.idle, [w.path for w in result.warnings]) == ({}, ["resources.autostop"])
    result = import_task(
        {"run": "x", "resources": {**resources, "autostop": {"down": True}}}, "task"
    )
    assert (result.idle["delete"], result.warnings) == (60, [])


@pytest.mark.parametrize(
    "written, idle",
    [
        (True, {"stop": 60, "wait_for": "jobs_and_ssh"}),
        (10, {"stop": 600, "wait_for": "jobs_and_ssh"}),
        ({"idle_minutes": 30, "down": True}, {"delete": 1800, "wait_for": "jobs_and_ssh"}),
        ({"idle_minutes": "2h", "down": True, "wait_for": "none"},
         {"delete": 7200, "wait_for": "none"}),
        (False, {}),
        ({"idle_minutes": -1}, {}),
    ],
)  # fmt: skip
def test_autostop_is_when_the_colony_is_idle(written, idle):
    result = import_task({"run": "x", "resources": {"autostop": written}}, "task")
    assert (result.problems, result.warnings, result.idle) == ([], [], idle)
