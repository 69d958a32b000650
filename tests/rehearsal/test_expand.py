import pytest

from colony.rehearsal.addresses import Directory
from colony.rehearsal.expand import expand, judged
from colony.rehearsal.podtext import Moves, values_of
from colony.rehearsal.verdict import Answer, Verdict
from jobs.backends import render
from jobs.context import JobContext
from jobs.environment import environment
from jobs.errors import NotSupported
from jobs.pairs import published
from jobs.policy import Policy
from jobs.role import Role
from jobs.spec import Job

CONTEXT = JobContext(
    colony="spring", cluster="main", cloud="aws", region="us-east-1", namespace="team"
)
PAIRS = [(framework.value, backend.value) for framework, backend in published()]


def job(framework="pytorch", backend="jobset", **more):
    if framework == "tensorflow":
        more.setdefault("roles", {"chief": Role(), "worker": Role(replicas=2), "ps": Role()})
    if framework == "custom":
        more.setdefault("roles", {"a": Role(), "b": Role(replicas=2, depends_on=["a"])})
    if "roles" not in more:
        more.setdefault("nodes", 3)
    return Job(name="demo", framework=framework, backend=backend, run="true", **more)


def plan_of(made):
    return expand(render(made, CONTEXT))


@pytest.mark.parametrize(("framework", "backend"), PAIRS)
def test_every_pod_has_its_index_from_the_controllers_own_mark(framework, backend):
    plan = plan_of(job(framework, backend))
    assert plan.name == "demo" and plan.namespace == "team"
    for pod in plan.pods:
        if not pod.inside:
            assert values_of(pod, pod.container)["COLONY_POD_INDEX"] == str(pod.index)
            assert pod.labels["colony.dev/role"] == pod.role


@pytest.mark.parametrize(("framework", "backend"), PAIRS)
def test_what_a_pod_is_told_is_what_the_contract_says(framework, backend):
    made = job(framework, backend)
    for pod in plan_of(made).pods:
        if pod.inside:
            continue
        told = values_of(pod, pod.container)
        for name in ("MASTER_ADDR", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
            assert told[name] == environment(made, pod.role, pod.index, CONTEXT)[name], pod.key


@pytest.mark.parametrize(
    ("backend", "host"),
    [
        ("jobset", "demo-worker-0-1.demo"),
        ("job", "demo-worker-1.demo"),
        ("volcano", "demo-worker-1.demo"),
        ("trainjob", "demo-worker-0-1.demo"),
    ],
)
def test_a_pods_name_is_the_engines(backend, host):
    assert plan_of(job(backend=backend)).pods[1].hosts == (host,)


def test_an_mpijobs_launcher_comes_last_with_the_operators_files():
    plan = plan_of(job("mpi", "mpijob", processes_per_node=4))
    launcher = plan.pods[-1]
    assert (launcher.key, plan.success, plan.waits) == (
        "launcher-0", [["launcher"]], {"launcher": [("worker", "Ready")]},
    )  # fmt: skip
    lines = launcher.files["/etc/mpi/hostfile"].splitlines()
    assert lines[0] == "demo-worker-0.demo.team.svc slots=4"
    assert len(lines) == 3
    assert {pod.spec["restartPolicy"] for pod in plan.pods} == {"Never"}


def test_a_rayjobs_script_is_one_more_process_of_its_head():
    plan = plan_of(job("ray", "rayjob"))
    driver = plan.pods[-1]
    assert (driver.inside, plan.success) == ("head-0", [["driver"]])
    assert driver.container["command"][:2] == ["env", "COLONY_STEP=run"]
    assert judged(plan, job("ray", "rayjob")) is plan


def test_roles_wait_in_the_order_of_their_engine():
    plan = plan_of(job("dask"))
    assert plan.waits["launcher"] == [("worker", "Ready")]
    assert plan.waits["leadworker"] == [("scheduler", "Ready")]


def test_an_elastic_job_has_the_agents_pods_and_its_lists():
    made = job("horovod", nodes=2, elastic={"max": 4, "slots": 3})
    plan = plan_of(made)
    own = [pod for pod in plan.pods if pod.by_agent]
    assert [(pod.key, pod.hosts) for pod in own] == [
        ("worker-0", ("demo-worker-0.demo",)), ("worker-1", ("demo-worker-1.demo",)),
    ]  # fmt: skip
    assert plan.config_maps["demo-elastic"]["hosts"] == (
        "demo-worker-0.demo:3\ndemo-worker-1.demo:3\n"
    )


def test_what_is_no_job_is_refused():
    with pytest.raises(NotSupported):
        expand([{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}])


def verdict(made, ends, policy=False):
    """(answers, what became of the job) after pods ended in this order."""
    plan = plan_of(made)
    found = Verdict(judged(plan, made) if policy else plan)
    pods = {pod.key: pod for pod in plan.pods}
    answers = [found.ended(pods[key], code).value for key, code in ends]
    return answers, "failed" if found.failed else "succeeded" if found.succeeded else "goes on"


DONE, AGAIN, REPLACED = (answer.value for answer in Answer)


@pytest.mark.parametrize(
    ("made", "ends", "answers", "outcome"),
    [
        (job(), [("worker-0", 0)], [DONE], "goes on"),
        (job(nodes=2), [("worker-0", 0), ("worker-1", 0)], [DONE, DONE], "succeeded"),
        (job(), [("worker-0", 0), ("worker-1", 1)], [DONE, DONE], "failed"),
        (job("dask"), [("launcher-0", 0)], [DONE], "succeeded"),
        (job("mpi", "mpijob"), [("worker-0", 1)], [DONE], "goes on"),
        (job("mpi", "mpijob"), [("launcher-0", 0)], [DONE], "succeeded"),
        (job("mpi", "volcano"), [("worker-0", 1)], [DONE], "failed"),
        (job("dask"), [("scheduler-0", 1)] * 2, [AGAIN] * 2, "goes on"),
        (job("dask"), [("scheduler-0", 1)] * 7, [AGAIN] * 6 + [DONE], "failed"),
        (job("ray", "rayjob"), [("driver-0", 0)], [DONE], "succeeded"),
    ],
)
def test_the_controllers_rules(made, ends, answers, outcome):
    assert verdict(made, ends) == (answers, outcome)


EXIT_CODE = job(roles={"worker": Role(replicas=2, restart="ExitCode")})


@pytest.mark.parametrize("backend", ["jobset", "job", "volcano"])
@pytest.mark.parametrize(("code", "answer"), [(1, DONE), (127, DONE), (137, REPLACED)])
def test_a_signal_starts_a_pod_again_where_the_exit_code_decides(backend, code, answer):
    made = EXIT_CODE.model_copy(update={"backend": type(EXIT_CODE.backend)(backend)})
    answers, outcome = verdict(made, [("worker-0", code)])
    assert (answers, outcome == "failed") == ([answer], answer == DONE)


def test_the_jobs_own_policy_replaces_the_controllers():
    roles = {"a": Role(replicas=2, failed="AllPods"), "b": Role(succeeded="AnyPod", replicas=2)}
    made = job("custom", roles=roles, policy=Policy(success=[["b"]], failure=[["a"]]))
    assert verdict(made, [("a-0", 1)], policy=True)[1] == "goes on"
    assert verdict(made, [("a-0", 1), ("a-1", 1)], policy=True)[1] == "failed"
    assert verdict(made, [("b-1", 0)], policy=True)[1] == "succeeded"
    assert verdict(made, [("a-0", 1), ("a-1", 1), ("b-1", 0)], policy=True)[1] == "failed"


def test_permanent_failures_start_the_job_not_again():
    plan = plan_of(job(policy=Policy(backoff_limit=3)))
    assert plan.restarts == 3
    assert 78 in plan.final and 1 not in plan.final


@pytest.fixture
def directory():
    manifests = render(job(), CONTEXT)
    plan = expand(manifests)
    service = {
        "kind": "Service", "metadata": {"name": "demo-rank0"},
        "spec": {"selector": {"batch.kubernetes.io/job-completion-index": "0"}},
    }  # fmt: skip
    return Directory(plan, [*manifests, service], ["127.1.1.1", "127.1.1.2", "127.1.1.3"])


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("demo-worker-0-0.demo", "127.1.1.1"),
        ("tcp://demo-worker-0-1.demo:8786", "tcp://127.1.1.2:8786"),
        ("demo-worker-0-2.demo.team.svc.cluster.local,x", "127.1.1.3,x"),
        ("demo-worker-0-2.demo.team.svc slots=2", "127.1.1.3 slots=2"),
        ("demo-rank0:29400", "127.1.1.1:29400"),
        ("demo-worker-0-10.demo", "demo-worker-0-10.demo"),
        ("my-demo-worker-0-0.demo", "my-demo-worker-0-0.demo"),
        ("demo-worker-0-0.demos", "demo-worker-0-0.demos"),
        ("demo-worker-0-0.demo.other.svc", "demo-worker-0-0.demo.other.svc"),
        ("demo-worker-0-0.demo.", "127.1.1.1."),
        ("demo-rank0-x demo-rank0s", "demo-rank0-x demo-rank0s"),
    ],
)
def test_names_become_addresses_and_parts_of_words_do_not(directory, text, local):
    assert directory.localized(text) == local


def test_the_master_port_is_a_free_one_wherever_it_stands(directory):
    pod = plan_of(job()).pods[1]
    port = directory.world_port("demo-worker-0-0.demo", "29500", pod)
    assert port == directory.world_port("demo-rank0", "29500", pod) != "29500"
    assert directory.localized("demo-rank0:29500") == f"127.1.1.1:{port}"
    assert directory.localized("demo-worker-0-1.demo:29500") == "127.1.1.2:29500"


def test_paths_move_as_whole_paths():
    moves = Moves({"/colony": "/s/colony", "/etc/mpi/hostfile": "/s/mpi", "/etc/mpi": "/s/etc"})
    text = "-f /etc/mpi/hostfile --x=/colony/work /colony2 http://a/colony /etc/mpi/hostfiles"
    assert moves.moved(text) == (
        "-f /s/mpi --x=/s/colony/work /colony2 http://a/colony /s/etc/hostfiles"
    )
    assert Moves({}).moved(text) == text
