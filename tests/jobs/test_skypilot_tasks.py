"""The fields of a task beside its resources, and several tasks in a file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colony.documents import documents_of, load_colony
from jobs.errors import NotSupported
from jobs.importers.sky.entry import Entry
from jobs.importers.sky.forms import delay
from jobs.importers.sky.rest import Rest
from jobs.importers.sky.substitution import substitute
from jobs.importers.sky.variables import managed_name
from jobs.importers.skypilot import import_task
from jobs.problems import NotHonoured

SECRET = "hunter2"
LOGIN = dict.fromkeys(
    ("SKYPILOT_DOCKER_USERNAME", "SKYPILOT_DOCKER_PASSWORD", "SKYPILOT_DOCKER_SERVER"), SECRET
)


def read(**task):
    return import_task({"run": "x", **task}, "task")


def paths(found):
    return [problem.path for problem in found]


@pytest.mark.parametrize(
    "mounts",
    [
        {"/data": "s3://bucket/path", "/code": "./src"},
        {"/data": {"name": "b", "store": "S3", "mode": "mount_cached", "persistent": False}},
        {"/data": {"source": ["a", "b"], "type": "DATASET_RO", "mode": None}},
        {"/v": {"name": "v", "store": "volume", "config": {"mount": {"read_only": True}}}},
    ],
    ids=str,
)
def test_mounts_are_understood(mounts):
    result = read(file_mounts=mounts)
    assert (result.problems, paths(result.warnings)) == ([], ["file_mounts"])


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ({"file_mounts": {"/d": 7}}, "file_mounts./d"),
        ({"file_mounts": {"/d": None}}, "file_mounts./d"),
        ({"file_mounts": {"/d": {}}}, "file_mounts./d"),
        ({"file_mounts": {"/d": {"name": "b", "bogus": 1}}}, "file_mounts./d.bogus"),
        ({"file_mounts": {"/d": {"name": "b", "store": "s4"}}}, "file_mounts./d.store"),
        ({"file_mounts": {"/d": {"name": "b", "mode": "LINK"}}}, "file_mounts./d.mode"),
        ({"file_mounts": {"/d": {"source": [1]}}}, "file_mounts./d.source"),
        ({"file_mounts": ["a"]}, "file_mounts"),
        ({"workdir": {"ref": "main"}}, "workdir.url"),
        ({"workdir": {"url": "x", "branch": "y"}}, "workdir.branch"),
        ({"inputs": {"s3://a": 1, "s3://b": 2}}, "inputs"),
        ({"outputs": {}}, "outputs"),
        ({"outputs": {"gs://a": "much"}}, "outputs.gs://a"),
        ({"volumes": {"/d": 1}}, "volumes./d"),
        ({"volume_mounts": {}}, "volume_mounts"),
        ({"api_server_access": "yes"}, "api_server_access"),
        ({"event_callback": ["x"]}, "event_callback"),
        ({"managed_secrets": "x"}, "managed_secrets"),
        ({"pool": 3}, "pool"),
        ({"config": {"bogus": 1}}, "config.bogus"),
        ({"config": {"docker": {"bogus": 1}}}, "config.docker.bogus"),
        ({"config": {"kubernetes": []}}, "config.kubernetes"),
        ({"config": {"hooks": {}}}, "config.hooks"),
        ({"config": {"hooks": [{"run": "x"}] * 33}}, "config.hooks"),
        ({"config": {"hooks": [{"events": ["stop"]}]}}, "config.hooks[0].run"),
        ({"config": {"hooks": [{"run": "x" * 16385}]}}, "config.hooks[0].run"),
        ({"config": {"hooks": [{"run": "x", "timeout": 0}]}}, "config.hooks[0].timeout"),
        ({"config": {"hooks": [{"run": "x", "events": ["up"]}]}}, "config.hooks[0].events[0]"),
        ({"storage_mounts": {}}, "storage_mounts"),
        ({"envs": {k: v for k, v in LOGIN.items() if "SERVER" not in k}},
         "envs.SKYPILOT_DOCKER_USERNAME"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
def test_what_skypilot_refuses_is_refused_where_it_stands(task, path):
    result = read(**task)
    assert (paths(result.problems), result.warnings) == ([path], [])
    assert SECRET not in str(result.problems)


def test_a_near_match_is_named():
    (problem,) = read(config={"kubernetes": {"pod_confg": {}}}).problems
    assert problem.hint == "did you mean `pod_config`?"


@pytest.mark.parametrize("group", ["envs", "secrets"])
def test_the_login_of_a_registry_is_no_variable_of_the_job(group):
    result = read(**{group: {**LOGIN, "A": "x"}})
    (warning,) = result.warnings
    assert isinstance(warning, NotHonoured)
    assert getattr(result.job, group) == {"A": "x"}
    assert SECRET not in str(warning)


def test_a_login_half_in_envs_and_half_in_secrets_is_refused():
    (user, password, server) = LOGIN.items()
    result = read(envs=dict([user, server]), secrets=dict([password]))
    assert paths(result.problems) == ["envs.SKYPILOT_DOCKER_USERNAME"]


@pytest.mark.parametrize("scope", ["", "personal.", "workspace.", "global."])
def test_the_name_of_a_managed_secret_is_without_its_scope(scope):
    assert managed_name(f"secrets:{scope}TOKEN") == "TOKEN"


def test_an_inline_secret_stays_beside_a_managed_one():
    result = read(secrets={"A": SECRET, "B": None})
    assert (result.job.secrets, paths(result.warnings)) == ({"A": SECRET}, ["secrets.B"])


def test_variables_are_put_into_the_workdir_and_secrets_are_not():
    result = read(workdir="$A/${B}/$C/$D", envs={"A": "x", "B": 2}, secrets={"C": SECRET})
    assert result.job.workdir == "x/2/$C/$D"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "1"), ("${A}b", "1b"), ("$AB", "$AB"), ("$A-$A", "1-1"), ("${A:-2}", "${A:-2}"),
        ("$$A", "$1"), ("${ A }", "${ A }"), ("s3://$A/x", "s3://1/x"), ("$1", "$1"),
    ],
)  # fmt: skip
def test_only_known_names_are_replaced(text, expected):
    assert substitute({text: [text, 7]}, {"A": "1"}) == {expected: [expected, 7]}


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner)))
def test_without_variables_everything_stays(value):
    assert substitute(value, {}) == value


@pytest.mark.parametrize(
    ("value", "seconds"), [(30, 30), ("30", 30), ("30s", 30), ("5M", 300), ("1w", 604800), (0, 0)]
)
def test_the_delay_of_a_termination(value, seconds):
    assert delay(value) == seconds


def several(*texts):
    (document,) = documents_of("\n---\n".join(texts), Path("file.yaml"))
    return document


A, B = "name: a\nrun: x", "name: b\nrun: x"


@pytest.mark.parametrize(
    ("texts", "name", "what"),
    [
        ((A, B), "file", "a SkyPilot pipeline (several tasks in a file)"),
        (("name: line", A), "line", "a SkyPilot pipeline (several tasks in a file)"),
        (("name: line\nexecution: serial", A, A), "line", "a SkyPilot pipeline"),
        (("name: team\nexecution: parallel", A, B), "team", "a SkyPilot job group"),
        (
            (
                "name: team\nexecution: Parallel\nprimary_tasks: [a]\n"
                "termination_delay: {default: 30s, b: 1m}",
                A,
                B,
            ),
            "team",
            "a SkyPilot job group",
        ),
        (("name: t\nexecution: parallel\ntermination_delay: 5", A, B), "t", "a SkyPilot job group"),
    ],
)
def test_several_tasks_are_valid_and_refused_when_they_would_run(tmp_path, texts, name, what):
    document = several(*texts)
    assert (document.ok, document.name, document.kind) == (True, name, "SkyPilot")
    (warning,) = document.warnings
    assert warning.message.startswith(what)
    path = tmp_path / "file.yaml"
    path.write_text("\n---\n".join(texts), encoding="utf-8")
    with pytest.raises(NotSupported, match="not built yet"):
        load_colony([path])


GROUP = "name: team\nexecution: parallel\n"


@pytest.mark.parametrize(
    ("texts", "path"),
    [
        ((A, "name: b\nnum_nodes: 0"), "tasks[1].num_nodes"),
        ((A, "name: b\nbogus: 0"), "tasks[1].bogus"),
        ((A, "kind: Job\nname: b"), ""),
        (("execution: sideways", A, B), "execution"),
        (("execution: serial\nbogus: 1", A, B), "bogus"),
        (("name: x\nexecution: serial\nprimary_tasks: [a]", A, B), "primary_tasks"),
        (("execution: parallel", A, B), "name"),
        ((GROUP, A, A), "tasks[1].name"),
        ((GROUP, A, "run: x"), "tasks[1].name"),
        ((GROUP + "primary_tasks: [c]", A, B), "primary_tasks[0]"),
        ((GROUP + "primary_tasks: a", A, B), "primary_tasks"),
        ((GROUP + "termination_delay: {c: 5}", A, B), "termination_delay.c"),
        ((GROUP + "termination_delay: {a: soon}", A, B), "termination_delay.a"),
        ((GROUP + "termination_delay: soon", A, B), "termination_delay"),
    ],
    ids=str,
)
def test_what_is_wrong_among_several_tasks(texts, path):
    document = several(A, *texts) if "kind" in texts[1] else several(*texts)
    assert (document.ok, paths(document.problems)) == (False, [path])


def test_variables_of_the_command_line_reach_every_task():
    text = "name: a\nrun: x\nenvs: {K: null}\n---\nname: b\nrun: x\nenvs: {K: null}"
    file = Path("file.yaml")
    assert paths(documents_of(text, file)[0].problems) == ["tasks[0].envs.K", "tasks[1].envs.K"]
    assert documents_of(text, file, {"K": "v"})[0].ok


def test_a_variable_without_a_value_is_one_problem():
    assert paths(read(workdir="$A", envs={"A": None}).problems) == ["envs.A"]


RESOURCES = [*Entry.model_fields, "any_of", "ordered", "hooks", "_requires_fuse"]
TASK = [*Rest.model_fields, "name", "num_nodes", "setup", "run", "envs", "secrets", "bogus"]
texts = st.sampled_from(
    ["", "a", "A100:1", "80GB+", "tpu-v4", "aws", "k8s/x", "secrets:A", "$A", "10m", "docker:a"]
)
scalars = st.none() | st.booleans() | st.integers(-2, 300) | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(texts | st.sampled_from(RESOURCES), inner, max_size=3)
    ),
    max_leaves=6,
)
resources = st.dictionaries(st.sampled_from(RESOURCES), values, max_size=4)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from(TASK), values, max_size=4), resources | values)
def test_whatever_a_task_holds_it_becomes_a_job_or_problems(task, needs):
    result = import_task({**task, "resources": needs}, "task")
    assert (result.job is None) == bool(result.problems)
    assert all(problem.message for problem in (*result.problems, *result.warnings))
