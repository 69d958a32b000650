"""One job through every back end that runs its framework: the same contract everywhere."""

import re

import pytest

from colony.rehearsal.expand import expand
from jobs.backends import KINDS, render
from jobs.backends.deciding import decider
from jobs.context import JobContext
from jobs.errors import InputError
from jobs.frameworks import complete, team
from jobs.hosts import host, service_name
from jobs.pairs import published, supported
from jobs.roles import members, rank0
from jobs.spec import Backend, Elastic, Framework, Job, Mpi, MpiKind, Resources

CONTEXT = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1")
PAIRS = published()
NODES = 3
PER_NODE = 4
OF_THE_ENGINE = {"COLONY_PODS", "COLONY_HOST", "COLONY_RESOLVE_SECONDS", "COLONY_STEP"}
"""How the entry point is told what differs by engine; what it makes of it is compared."""
ENGINE_MADE = {
    Backend.MPIJOB: re.compile(r"OMPI_|PRTE_|HYDRA_|PDSH_"),
    Backend.RAYJOB: re.compile(r"RAY_ADDRESS|COLONY_RAY_PORT|COLONY_STARTUP_SECONDS"),
}
"""Rendezvous that the engine itself gives: no business of ours there."""


def job(framework, backend, **more):
    given = {
        "nodes": NODES,
        "resources": Resources(accelerators=f"H100:{PER_NODE}"),
        "run": "train",
    }
    return Job(name="demo", framework=framework, backend=backend, **{**given, **more})


def pods_of(made):
    """Without the pod in which KubeRay runs `ray job submit`."""
    return [pod for pod in expand(render(made, CONTEXT)).pods if pod.role != "driver"]


def contract(made, pod, scripts):
    """What the entry point makes of a pod's manifest; hosts are written `worker#1`."""
    given = {each["name"]: _value(each, pod) for each in pod.container["env"]}
    index = int(given["COLONY_POD_INDEX"])
    node, rank = int(given["COLONY_NODE_BASE"]) + index, int(given["COLONY_RANK_BASE"])
    rank += index * int(given["COLONY_PROCESSES"])
    if given.get("COLONY_UNRANKED"):
        node = rank = 0
    own = {"index": index, "node": node, "rank": rank, "host": host(made, pod.role, index)}
    values = {**given, "NODE_RANK": str(node), "RANK": str(rank), **_lines(pod, scripts, own)}
    kept = {name: text for name, text in values.items() if name not in OF_THE_ENGINE}
    return {name: _neutral(made, text) for name, text in kept.items()}


def _value(entry, pod):
    if "value" in entry:
        return entry["value"].replace("$$", "$")
    kind, key = re.fullmatch(r"metadata\.(\w+)\['(.+)'\]", _path(entry)).groups()
    return {"annotations": pod.annotations, "labels": pod.labels}[kind][key]


def _path(entry):
    return entry["valueFrom"]["fieldRef"]["fieldPath"]


def _lines(pod, scripts, own):
    values, mine = {}, {}
    for line in scripts.get(f"{pod.role}.env", "").splitlines():
        name, _, text = line.partition("=")
        name, _, which = name.partition("@")
        for word, number in own.items():
            text = text.replace(f"{{{word}}}", str(number))
        if which in ("", str(own["index"])):
            (mine if which else values)[name] = text
    return {**values, **mine}


def _neutral(made, text):
    names = {service_name(made): f"{rank0(made).name}#0"}
    for role in members(made):
        for index in range(role.replicas):
            names[host(made, role.name, index)] = f"{role.name}#{index}"
    for name in sorted(names, key=len, reverse=True):
        text = re.sub(rf"{re.escape(name)}(?![\w-])", names[name], text)
    return text


def contracts(framework, backend):
    made = job(framework, backend)
    scripts = render(made, CONTEXT)[0]["data"]
    return {pod.key: contract(made, pod, scripts) for pod in pods_of(made)}


def test_at_least_twenty_pairs_are_published():
    assert len(PAIRS) >= 20
    assert {framework for framework, _ in PAIRS} == set(Framework)
    assert {backend for _, backend in PAIRS} == set(Backend)


@pytest.mark.parametrize(("framework", "backend"), PAIRS)
def test_the_environment_is_that_of_the_jobset(framework, backend):
    expected, found = contracts(framework, Backend.JOBSET), contracts(framework, backend)
    assert found.keys() == expected.keys()
    foreign = ENGINE_MADE.get(backend, re.compile(r"(?!)"))
    for pod, environment in expected.items():
        ours = {name: text for name, text in environment.items() if not foreign.match(name)}
        assert found[pod] == ours, pod


@pytest.mark.parametrize(("framework", "backend"), PAIRS)
def test_ranks_are_counted_through_and_fill_the_world(framework, backend):
    made = job(framework, backend)
    everyone = contracts(framework, backend)
    counted = [env for env in everyone.values() if "COLONY_UNRANKED" not in env]
    worlds = team(made).worlds
    for world in {tuple(names) for names in worlds.values()}:
        inside = [env for env in counted if env["COLONY_ROLE"] in world]
        if not inside:
            continue
        inside.sort(key=lambda env: int(env["NODE_RANK"]))
        assert [int(env["NODE_RANK"]) for env in inside] == list(range(len(inside)))
        ranks = [int(env["RANK"]) + i for env in inside for i in range(_processes(env))]
        assert ranks == list(range(int(inside[0]["WORLD_SIZE"])))
        assert len({env["MASTER_ADDR"] for env in inside}) == 1


def _processes(env):
    return int(env["LOCAL_WORLD_SIZE"])


@pytest.mark.parametrize(("framework", "backend"), PAIRS)
def test_the_gpus_are_those_that_were_asked_for(framework, backend):
    made = job(framework, backend)
    asked = sum(role.replicas * role.gpus for role in members(made))
    limits = [pod.container["resources"].get("limits", {}) for pod in pods_of(made)]
    assert sum(int(each.get("nvidia.com/gpu", 0)) for each in limits) == asked > 0


@pytest.mark.parametrize(("framework", "backend"), PAIRS)
def test_pods_are_reached_by_the_names_that_the_others_are_told(framework, backend):
    made = job(framework, backend)
    for pod in pods_of(made):
        if backend is not Backend.RAYJOB or pod.role == "head":
            assert host(made, pod.role, pod.index) in pod.hosts


@pytest.mark.parametrize(("framework", "backend"), PAIRS)
def test_the_same_roles_end_the_job(framework, backend):
    """Where an engine cannot say it (plain Jobs), the last object is the deciding role's."""
    made = complete(job(framework, backend))
    manifests = render(made, CONTEXT)
    wanted = [set(clause) for clause in made.policy.success]
    if backend is Backend.JOB:
        labels = manifests[-1]["metadata"]["labels"]
        assert labels["colony.dev/role"] == decider(made, members(made)).name in wanted[0]
    else:
        names = {"driver": "head"}
        found = [{names.get(n, n) for n in clause} for clause in expand(manifests).success]
        assert found == wanted


@pytest.mark.parametrize(("framework", "backend"), PAIRS)
def test_the_workload_is_the_last_object_and_all_objects_are_marked(framework, backend):
    manifests = render(job(framework, backend), CONTEXT)
    assert (manifests[-1]["apiVersion"], manifests[-1]["kind"]) == KINDS[backend]
    names = [(each["apiVersion"], each["kind"], each["metadata"]["name"]) for each in manifests]
    assert len(set(names)) == len(names)
    for each in manifests:
        assert each["metadata"]["labels"]["colony.dev/job"] == "demo"
        assert each["metadata"]["namespace"] == "default"
    for pod in pods_of(job(framework, backend)):
        assert pod.labels["colony.dev/role"] == pod.role
        assert pod.container["name"] == "trainer"


@pytest.mark.parametrize(
    ("framework", "backend"),
    [(f, b) for f in Framework for b in Backend if not supported(f, b)],
)
def test_other_pairs_are_refused_by_name_with_what_would_do(framework, backend):
    with pytest.raises(InputError) as refused:
        render(job(framework, backend), CONTEXT)
    text = str(refused.value)
    assert framework.value in text
    assert backend.value in text
    assert "use " in text


@pytest.mark.parametrize("backend", [b for b in Backend if b not in (Backend.JOBSET, Backend.JOB)])
def test_elastic_jobs_are_refused_by_engines_of_fixed_pods(backend):
    framework = next(f for f in Framework if supported(f, backend))
    with pytest.raises(InputError, match=r"elastic|pods"):
        render(job(framework, backend, elastic=Elastic(min=1, max=4)), CONTEXT)


@pytest.mark.parametrize("kind", MpiKind)
@pytest.mark.parametrize("backend", [b for b in Backend if supported(Framework.MPI, b)])
def test_every_engine_starts_the_launcher_after_its_workers(backend, kind):
    made = job(Framework.MPI, backend, mpi=Mpi(implementation=kind))
    plan = expand(render(made, CONTEXT))
    launcher = next(pod for pod in plan.pods if pod.role == "launcher")
    waiting = [each["command"] for each in launcher.spec.get("initContainers", [])]
    targets = {word.rpartition(":")[0] for words in waiting for word in words if ":" in word}
    by_engine = plan.waits.get("launcher") == [("worker", "Ready")]
    assert by_engine or targets == {host(made, "worker", index) for index in range(NODES)}
