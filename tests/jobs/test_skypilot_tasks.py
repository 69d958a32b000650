"""The fields of a task beside its resources, and several tasks in a file."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colony.documents import documents_of, load_colony, load_pipeline
from jobs.errors import InputError, NotSupported
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


BLOB = "https://acct.blob.core.windows.net/box/p"


@pytest.mark.parametrize(
    ("item", "source", "warned"),
    [
        ("s3://bucket/path", "s3://bucket/path", False),
        ("gs://bucket", "gs://bucket", False),
        (BLOB, "az://acct/box/p", False),
        ({"source": "s3://b/", "mode": "copy"}, "s3://b/", False),
        ({"source": "s3://b", "type": "dataset_ro"}, "s3://b", True),
        ({"source": "gs://b", "config": {"mount": {"read_only": True}}}, "gs://b", True),
    ],
    ids=str,
)
def test_buckets_are_copied_into_the_pods(item, source, warned):
    result = read(file_mounts={"/data": item})
    assert result.problems == []
    assert [(one.path, one.source) for one in result.job.inputs] == [("/data", source)]
    assert paths(result.warnings) == ["file_mounts./data"] * warned
    assert not any(isinstance(warning, NotHonoured) for warning in result.warnings)


@pytest.mark.parametrize(
    ("item", "why"),
    [
        ("./src", "a path of this machine"),
        ("r2://bucket", "r2:// is copied by nothing here"),
        ("https://example.org/x.tar", "https:// is copied by nothing here"),
        ({"source": "s3://b"}, "MOUNT of a bucket that may be written"),
        (
            {"name": "b", "store": "S3", "mode": "mount_cached"},
            "a bucket that is made for the task",
        ),
        ({"source": ["a", "b"], "type": "DATASET_RO", "mode": None}, "a path of this machine"),
        (
            {"name": "v", "store": "volume", "persistent": False},
            "a volume that is made for the task",
        ),
    ],
    ids=str,
)
def test_mounts_without_a_counterpart_are_named(item, why):
    result = read(file_mounts={"/data": item})
    (warning,) = result.warnings
    assert isinstance(warning, NotHonoured)
    assert (warning.path, why in warning.message) == ("file_mounts./data", True)
    assert (result.problems, result.job.inputs, result.job.volumes) == ([], [], [])


@pytest.mark.parametrize(
    "task",
    [
        {"volumes": {"/ckpt": "runs"}},
        {"volumes": {"/ckpt": {"name": "runs"}}},
        {"file_mounts": {"/ckpt": {"name": "runs", "store": "volume"}}},
    ],
)
def test_a_volume_is_a_claim_that_exists(task):
    result = read(**task)
    assert (result.problems, result.warnings) == ([], [])
    assert [(one.path, one.claim) for one in result.job.volumes] == [("/ckpt", "runs")]


@pytest.mark.parametrize(
    ("task", "path"),
    [
        ({"file_mounts": {"/d/../x": "s3://b"}}, "file_mounts./d/../x"),
        ({"file_mounts": {"/d": "s3://"}}, "file_mounts./d"),
        ({"volumes": {"data": "runs"}}, "volumes.data"),
    ],
)
def test_a_wrong_mount_is_told_where_it_stands(task, path):
    assert paths(read(**task).problems) == [path]


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
    "texts",
    [
        ("name: team\nexecution: parallel", A, B),
        (
            "name: team\nexecution: Parallel\nprimary_tasks: [a]\n"
            "termination_delay: {default: 30s, b: 1m}",
            A,
            B,
        ),
        ("name: team\nexecution: parallel\ntermination_delay: 5", A, B),
    ],
)
def test_a_job_group_is_valid_and_refused_by_name_when_it_would_run(tmp_path, texts):
    document = several(*texts)
    assert (document.ok, document.name, document.kind) == (True, "team", "SkyPilot")
    (warning,) = document.warnings
    assert warning.message.startswith("a SkyPilot job group")
    for load in (load_colony, load_pipeline):
        with pytest.raises(NotSupported, match=r"job group.*not built yet"):
            load([written(tmp_path, texts)])


@pytest.mark.parametrize(
    ("texts", "name", "colonies"),
    [
        ((A, B), "file", ["a", "b"]),
        (("name: line", A), "line", ["a"]),
        (("name: line\nexecution: serial", A, A), "line", ["a", "a-1"]),
        ((A, "run: x"), "file", ["a", "file-1"]),
    ],
)
def test_a_pipeline_is_a_colony_for_each_task_in_its_order(tmp_path, texts, name, colonies):
    document = several(*texts) if len(texts) > 2 or texts[0] == A else None
    if document:
        assert (document.ok, document.name, document.warnings) == (True, name, [])
    loaded = load_pipeline([written(tmp_path, texts)])
    assert [each.spec.name for each in loaded] == colonies
    assert [len(each.spec.jobs) for each in loaded] == [1] * len(colonies)


def test_a_pipeline_is_refused_where_one_colony_is_meant(tmp_path):
    with pytest.raises(NotSupported, match="give it alone to plan, run or rehearse"):
        load_colony([written(tmp_path, (A, B))])


def test_a_wrong_task_of_a_pipeline_refuses_it_whole(tmp_path):
    with pytest.raises(InputError, match=r"tasks\[1\].num_nodes"):
        load_pipeline([written(tmp_path, (A, "name: b\nnum_nodes: 0"))])


def written(folder, texts):
    path = folder / "file.yaml"
    path.write_text("\n---\n".join(texts), encoding="utf-8")
    return path


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
