import pytest

from components.spec import Cloud, ColonySpec, LayerChoice
from jobs.spec import Job
from jobs.wording import check

HOUR = 3600


def colony(**fields):
    value, problems = check(ColonySpec, {"name": "lab", **fields})
    assert not problems, problems
    return value


def paths(**fields):
    return [p.path for p in check(ColonySpec, {"name": "lab", **fields})[1]]


def cluster(**fields):
    return {"clusters": [{"name": "main", **fields}]}


def test_the_defaults_are_those_of_the_documentation():
    plain = colony()
    assert (plain.teardown.when.value, plain.teardown.grace) == ("always", 60)
    assert (plain.teardown.keep_on_failure, plain.budget, plain.ttl) == (0, None, None)


@pytest.mark.parametrize(
    ("fields", "lifetime"),
    [
        ({}, 26 * HOUR),
        ({"ttl": "3h"}, 3 * HOUR),
        ({"jobs": [{"name": "a", "max_run_time": "1h"}]}, 3 * HOUR),
        (
            {"jobs": [{"name": "a", "max_run_time": "1h"}, {"name": "b", "max_run_time": "48h"}]},
            50 * HOUR,
        ),
    ],
)
def test_a_colony_outlives_its_longest_job_by_two_hours(fields, lifetime):
    assert colony(**fields).lifetime == lifetime


@pytest.mark.parametrize(
    ("written", "choice"),
    [
        (False, LayerChoice(enabled=False)),
        ("off", LayerChoice(enabled=False)),
        (True, LayerChoice()),
        ("on", LayerChoice()),
        (None, LayerChoice()),
        ({"version": "1.2.3"}, LayerChoice(version="1.2.3")),
        ({"values": {"a": {"b": 1}}}, LayerChoice(values={"a": {"b": 1}})),
    ],
)
def test_a_layer_is_off_or_overridden(written, choice):
    assert colony(layers={"kueue": written}).layers["kueue"] == choice


@pytest.mark.parametrize(
    ("fields", "cloud"),
    [
        ({"cloud": "AWS"}, Cloud.AWS),
        ({"cloud": "kubernetes"}, None),
        ({"cloud": "k8s", "context": "kind"}, Cloud.EXISTING),
        ({"context": "kind"}, Cloud.EXISTING),
        ({"kubeconfig": "k.yaml"}, Cloud.EXISTING),
        ({"cloud": "existing"}, Cloud.EXISTING),
        ({"cloud": "onprem", "hosts": ["10.0.0.1"]}, Cloud.ONPREM),
        ({}, None),
    ],
)
def test_where_a_cluster_is(fields, cloud):
    assert colony(**cluster(**fields)).clusters[0].cloud is cloud


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"cloud": "existing", "pools": [{"name": "a"}]}, ["clusters[0].pools"]),
        ({"cloud": "existing", "region": "x"}, ["clusters[0].region"]),
        ({"cloud": "existing", "hosts": ["a"]}, ["clusters[0].hosts"]),
        ({"cloud": "existing", "kubernetes": "1.34"}, ["clusters[0].kubernetes"]),
        ({"cloud": "aws", "context": "kind"}, ["clusters[0].context"]),
        ({"cloud": "aws", "kubeconfig": "k"}, ["clusters[0].kubeconfig"]),
        ({"cloud": "gcp", "hosts": ["a"]}, ["clusters[0].hosts"]),
        ({"cloud": "onprem"}, ["clusters[0].hosts"]),
        ({"cloud": "onprem", "hosts": ["a"], "region": "x"}, ["clusters[0].region"]),
        ({"cloud": "onprem", "hosts": ["a", "a"]}, ["clusters[0].hosts[1]"]),
        ({"zones": ["us-east-1a"]}, ["clusters[0].region"]),
        (
            {"cloud": "aws", "region": "us-east-1", "zones": ["us-east-1a", "us-west-2a"]},
            ["clusters[0].zones[1]"],
        ),
        (
            {"cloud": "gcp", "region": "us-central1", "zones": ["us-east4-a"]},
            ["clusters[0].zones[0]"],
        ),
        ({"kubernetes": "latest"}, ["clusters[0].kubernetes"]),
        ({"kubernetes": 1.34}, ["clusters[0].kubernetes"]),
        ({"cloud": "asw"}, ["clusters[0].cloud"]),
        ({"cloud": 7}, ["clusters[0].cloud"]),
        ({"pools": [{"name": "a"}, {"name": "a"}]}, ["clusters[0].pools[1].name"]),
        ({"pools": [{"name": "A"}]}, ["clusters[0].pools[0].name"]),
        (
            {"pools": [{"name": "a", "accelerators": "L4:0.5"}]},
            ["clusters[0].pools[0].accelerators"],
        ),
        ({"pools": [{"name": "a", "nodes": True}]}, ["clusters[0].pools[0].nodes"]),
        ({"pools": [{"name": "a", "spot": "no"}]}, ["clusters[0].pools[0].spot"]),
        ({"pools": [{"name": "a", "acelerators": "x"}]}, ["clusters[0].pools[0].acelerators"]),
    ],
    ids=str,
)
def test_a_cluster_that_cannot_be_is_refused(fields, expected):
    assert paths(**cluster(**fields)) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"clusters": [{"name": "a"}, {"name": "a"}]}, ["clusters[1].name"]),
        ({"jobs": [{"name": "a"}, {"name": "b"}, {"name": "a"}]}, ["jobs[2].name"]),
        ({"jobs": [{"name": "a", "colony": "other"}]}, ["jobs[0].colony"]),
        ({"queues": [{"project": "a"}, {"project": "a"}]}, ["queues[1].project"]),
        ({"queues": [{"project": "a", "gpus": -1}]}, ["queues[0].gpus"]),
        ({"queues": [{"project": "a", "gpus": 1.5}]}, ["queues[0].gpus"]),
        ({"budget": {"usd": 0}}, ["budget.usd"]),
        ({"budget": {"usd": float("nan")}}, ["budget.usd"]),
        ({"budget": {"usd": float("inf")}}, ["budget.usd"]),
        ({"budget": {"usd": True}}, ["budget.usd"]),
        ({"budget": {"usd": 5, "action": "drian"}}, ["budget.action"]),
        ({"budget": {"action": "drain"}}, ["budget.usd"]),
        ({"ttl": "0h"}, ["ttl"]),
        ({"ttl": "soon"}, ["ttl"]),
        ({"teardown": {"when": "sometimes"}}, ["teardown.when"]),
        ({"teardown": {"grace": -1}}, ["teardown.grace"]),
        ({"layers": {"kueue": 3}}, ["layers.kueue"]),
        ({"layers": {"Kueue": True}}, ["layers.Kueue"]),
        ({"layers": {"kueue": {"version": 1.2}}}, ["layers.kueue.version"]),
        ({"storage": {"bucket": "somewhere"}}, ["storage.bucket"]),
        ({"colony": "x"}, ["colony"]),
    ],
    ids=str,
)
def test_a_colony_that_cannot_be_is_refused(fields, expected):
    assert paths(**fields) == expected


def test_a_misspelt_choice_gets_its_near_match():
    (problem,) = check(ColonySpec, {"name": "lab", "budget": {"usd": 5, "action": "drian"}})[1]
    assert problem.message == "must be one of drain, kill, not drian"
    assert problem.hint == "did you mean `drain`?"


def test_all_problems_of_one_cluster_are_reported():
    wrong = cluster(cloud="existing", region="x", hosts=["a"], pools=[{"name": "a"}])
    assert paths(**wrong) == [f"clusters[0].{part}" for part in ("region", "pools", "hosts")]


def test_zero_is_a_grace():
    teardown = colony(teardown={"grace": "0s", "keep_on_failure": "2h"}).teardown
    assert (teardown.grace, teardown.keep_on_failure) == (0, 7200)


def test_a_machine_is_a_node_of_one_cluster():
    there = {"cloud": "onprem", "hosts": ["10.0.0.1", "10.0.0.2"]}
    also = {"name": "b", "cloud": "onprem", "hosts": ["10.0.0.3", "10.0.0.2"]}
    assert paths(clusters=[{"name": "a", **there}, also]) == ["clusters[1].hosts[1]"]
    behind = [{"address": "lab", "port": 22}, {"address": "lab", "port": 23}]
    shared = [
        {"name": n, "cloud": "onprem", "hosts": [h]} for n, h in zip("ab", behind, strict=True)
    ]
    assert paths(clusters=shared) == []


def test_a_dump_is_read_back_as_the_same_colony():
    value = colony(
        clusters=[
            {"name": "a", "cloud": "aws", "pools": [{"name": "g", "accelerators": "h100:8"}]},
            {"name": "b", "cloud": "k8s", "context": "kind"},
            {"name": "c", "cloud": "onprem", "hosts": ["h"]},
        ],
        layers={"kueue": False, "jobset": {"version": "1"}},
        queues=[{"project": "p", "gpus": 8}],
        budget={"usd": 5},
        ttl="3h",
        storage={"bucket": "s3://b"},
        jobs=[{"name": "j", "colony": "lab", "run": "x"}],
    )
    assert ColonySpec.model_validate(value.model_dump(mode="json")) == value


def test_a_dump_holds_no_secret():
    value = colony(jobs=[Job(name="j", secrets={"TOKEN": "hunter2"})])
    assert value.jobs[0].secrets == {"TOKEN": "hunter2"}
    assert "hunter2" not in value.model_dump_json() + repr(value)
    assert value.model_dump(mode="json")["jobs"][0]["secrets"] == {"TOKEN": ""}
