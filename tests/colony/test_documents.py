import csv
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from colony.documents import (
    documents_of,
    load_colony,
    load_pipeline,
    parse_envs,
    read_documents,
    schema,
    validation_report,
)
from components.spec import Cloud
from jobs.errors import InputError, NotSupported

BAD = Path(__file__).parent / "bad"
ROOT = Path(__file__).parents[2]
EXAMPLES = ["examples/task.yaml", "examples/job.yaml", "examples/colony.yaml"]

COLONY = "apiVersion: colony/v1\nkind: Colony\nname: lab\n"
JOB = "apiVersion: colony/v1\nkind: Job\nrun: x\n"
TASK = "run: x\n"


def expected():
    found = defaultdict(list)
    with (BAD / "expected.csv").open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            found[row["file"]].append(row)
    return found


EXPECTED = expected()


def write(folder, name="task.yaml", text=TASK):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def only_error(path):
    (report,) = validation_report([path])
    (document,) = report["documents"]
    assert (report["file"], document["ok"]) == (str(path), False)
    (error,) = document["errors"]
    return error


def refused(paths, **more):
    with pytest.raises(InputError) as caught:
        load_colony(paths, **more)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_bad_file_is_reported_with_path_message_and_hint(name):
    (report,) = validation_report([BAD / name])
    errors = [error for document in report["documents"] for error in document["errors"]]
    assert not all(document["ok"] for document in report["documents"])
    for error, row in zip(errors, EXPECTED[name], strict=True):
        assert error["path"] == row["path"]
        assert row["message"] in error["message"]
        assert error["hint"] == row["hint"]
        assert "pydantic" not in str(error)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_bad_file_is_never_loaded(name):
    error = refused([BAD / name])
    later = all(
        re.search("not built yet|has no cluster kind", row["message"]) for row in EXPECTED[name]
    )
    assert isinstance(error, NotSupported) == later
    assert [p.path for p in error.problems] == [row["path"] for row in EXPECTED[name]]
    assert error.file == str(BAD / name)
    assert "hunter2" not in str(error)


def test_every_bad_file_is_in_the_table():
    assert {path.name for path in BAD.glob("*.yaml")} == set(EXPECTED)
    assert len(EXPECTED) >= 30


def test_a_missing_file(tmp_path):
    path = tmp_path / "nowhere.yaml"
    assert only_error(path)["message"] == "no such file"
    assert refused([path]).file == str(path)


def test_a_directory(tmp_path):
    assert "a directory" in only_error(tmp_path)["message"]
    refused([tmp_path])


def test_a_file_in_a_file(tmp_path):
    assert "cannot be read" in only_error(write(tmp_path) / "inner.yaml")["message"]


def test_a_name_no_file_can_have():
    assert "cannot be read" in only_error("a\0b")["message"]


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "not a regular file" in only_error(tmp_path / "pipe")["message"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(tmp_path):
    path = write(tmp_path)
    path.chmod(0)
    assert "cannot be read" in only_error(path)["message"]


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path):
    path = write(tmp_path, text="# " + "x" * (1024 * 1024))
    assert "too large (1.0 MiB)" in only_error(path)["message"]
    path.write_bytes(b"run: x\n#" + b"x" * (1024 * 1024 - 8))
    assert validation_report([path])[0]["documents"][0]["ok"]


@pytest.mark.parametrize("data", [b"\xff\xfe\x00run", b"run: \xe4", b"run: a\0b"])
def test_a_binary_file(tmp_path, data):
    path = tmp_path / "task.yaml"
    path.write_bytes(data)
    assert "not text" in only_error(path)["message"]


@pytest.mark.parametrize("text", ["[" * 500_000, "- " * 500_000, "a: [" + "1," * 200_000 + "]"])
def test_nesting_and_length_are_bounded(text):
    with pytest.raises(InputError, match=r"nested too deep|too many values"):
        documents_of(text, Path("task.yaml"))


def test_a_value_that_cannot_be_read_is_not_repeated():
    with pytest.raises(InputError, match="cannot be read") as caught:
        documents_of("secrets: {A: !!bool hunter2}", Path("task.yaml"))
    assert "hunter2" not in str(caught.value)


def test_dates_and_clock_times_stay_text(tmp_path):
    text = "run: x\nenvs: {DAY: 2026-01-01, AT: 12:30, N: 0x10}\n"
    (document,) = read_documents(write(tmp_path, text=text))
    assert document.value.envs == {"DAY": "2026-01-01", "AT": "12:30", "N": "16"}


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_bytes(b"\xef\xbb\xbfrun: x\n")
    assert read_documents(path)[0].ok


def test_a_task_gets_a_colony_of_its_own(tmp_path):
    loaded = load_colony([write(tmp_path, "my_task.yaml")])
    assert (loaded.spec.name, [job.name for job in loaded.spec.jobs]) == ("my-task", ["my-task"])
    assert loaded.folder == tmp_path
    assert loaded.folders == {"my-task": tmp_path}


def test_a_job_gets_a_colony_of_its_own_or_of_the_name_it_says(tmp_path):
    assert load_colony([write(tmp_path, text=JOB + "name: a\n")]).spec.name == "a"
    assert load_colony([write(tmp_path, text=JOB + "name: a\ncolony: b\n")]).spec.name == "b"


def test_the_documents_of_a_file_become_one_colony(tmp_path):
    text = (
        f"{COLONY}jobs: [{{name: a, run: x}}]\n---\n{JOB}name: b\ncolony: lab\n---\n{JOB}name: c\n"
    )
    spec = load_colony([write(tmp_path, text=text)]).spec
    assert (spec.name, [job.name for job in spec.jobs]) == ("lab", ["a", "b", "c"])


def test_files_become_one_colony_and_keep_their_folders(tmp_path):
    other = tmp_path / "other"
    (other / "src").mkdir(parents=True)
    task = write(other, "train.yaml", "run: x\nworkdir: src\n")
    loaded = load_colony([write(tmp_path, "colony.yaml", COLONY), task])
    assert [job.workdir for job in loaded.spec.jobs] == ["src"]
    assert (loaded.folder, loaded.folders) == (tmp_path, {"train": other})


def test_a_context_becomes_an_existing_cluster(tmp_path):
    path = write(tmp_path, text="run: x\nresources: {infra: k8s/My/Cluster}\n")
    (cluster,) = load_colony([path]).spec.clusters
    assert (cluster.name, cluster.cloud) == ("my-cluster", Cloud.EXISTING)
    assert cluster.context == "My/Cluster"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "no file given"),
        ([COLONY, COLONY.replace("lab", "ward")], "more than one colony"),
        ([COLONY], "without clusters and jobs"),
        ([JOB + "name: a\n", JOB + "name: b\n"], "one colony each: a, b"),
        ([COLONY, JOB + "name: a\ncolony: lap\n"], "`lap` is not in these files"),
        ([JOB + "name: a\n", JOB + "name: a\n"], "`a` is there twice"),
        ([COLONY + "jobs: [{name: a}]\n", JOB + "name: a\n"], "`a` is there twice"),
        ([COLONY, "run: x\nservice: {}\n"], "not honoured"),
    ],
)
def test_documents_that_do_not_fit_together(tmp_path, texts, message):
    paths = [write(tmp_path, f"{index}.yaml", text) for index, text in enumerate(texts)]
    assert message in str(refused(paths))


def test_problems_of_several_files_name_their_file(tmp_path):
    paths = [write(tmp_path, f"{n}.yaml", "run: x\nnum_nodes: 0\n") for n in "ab"]
    assert [p.path for p in refused(paths).problems] == [f"{path}: num_nodes" for path in paths]


@pytest.mark.parametrize("kind", ["service", "pool"])
def test_what_is_not_honoured_is_valid_but_not_loaded(tmp_path, kind):
    path = write(tmp_path, text=f"run: x\n{kind}: {{workers: 3}}\n")
    (report,) = validation_report([path])
    (document,) = report["documents"]
    assert (document["ok"], document["errors"]) == (True, [])
    assert [w["message"] for w in document["warnings"]] == ["not honoured"]
    assert isinstance(refused([path]), NotSupported)


def test_warnings_are_loaded_too(tmp_path):
    loaded = load_colony([write(tmp_path, text="name: minGPT\nrun: x\n")])
    assert [w.path for w in loaded.warnings] == ["name"]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (COLONY + "jobs: [{name: a}]\n", ["jobs[0].run"]),
        ("apiVersion: colony/v1\nkind: Job\nname: a\n", ["run"]),
        (
            "apiVersion: colony/v1\nkind: Job\nname: a\nroles: {b: {run: x}, c: {}}\n",
            ["roles.c.run"],
        ),
        ("setup: x\n", ["run"]),
        (TASK, []),
    ],
)
def test_nothing_to_run_is_a_warning(tmp_path, text, paths):
    (document,) = read_documents(write(tmp_path, text=text))
    assert document.ok
    assert [w.path for w in document.warnings] == paths


@pytest.mark.parametrize("version", ["", "apiVersion: colony/v2\n"])
@pytest.mark.parametrize(
    ("rest", "paths"),
    [
        ("kind: Job\nname: a\nnods: 1\nrun: x\nresources: {acelerators: A100}\n",
         ["apiVersion", "nods", "resources.acelerators"]),
        ("kind: Colony\nname: lab\ntll: 1h\n", ["apiVersion", "tll"]),
        ("kind: Job\nname: a\nrun: x\n", ["apiVersion"]),
    ],
)  # fmt: skip
def test_without_its_version_all_that_is_wrong_in_a_document_is_said(
    tmp_path, version, rest, paths
):
    (document,) = read_documents(write(tmp_path, text=version + rest))
    assert sorted(problem.path for problem in document.problems) == paths
    assert not document.ok and document.value is None


def test_an_object_of_another_api_is_not_read_as_ours(tmp_path):
    text = "apiVersion: batch/v7\nkind: Job\nmetadata: {name: a}\nspec: {}\n"
    (document,) = read_documents(write(tmp_path, text=text))
    assert not any(problem.path in ("metadata", "spec") for problem in document.problems)


def test_the_report_is_the_documented_json(tmp_path):
    path = write(tmp_path, text=f"{JOB}name: a\n---\n{JOB}name: b\nnods: 1\n")
    report = validation_report([path])
    assert json.loads(json.dumps(report)) == [
        {
            "file": str(path),
            "documents": [
                {"kind": "Job", "name": "a", "ok": True, "errors": [], "warnings": []},
                {
                    "kind": "Job",
                    "name": "b",
                    "ok": False,
                    "errors": [
                        {
                            "path": "nods",
                            "message": "unknown field",
                            "hint": "did you mean `nodes`?",
                        }
                    ],
                    "warnings": [],
                },
            ],
        }
    ]


def test_reading_a_file_leaves_it_as_it_was(tmp_path):
    path = write(tmp_path, text=COLONY)
    before = path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir())
    validation_report([path])
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(tmp_path.iterdir())) == before


@pytest.mark.parametrize("head", [TASK, JOB + "name: a\n"])
def test_variables_given_by_hand_win(tmp_path, head):
    path = write(tmp_path, text=head + "envs: {A: file, B: }\nsecrets: {T: }\n")
    given = {"A": "hand", "B": "hand", "C": "hand", "T": "hunter2"}
    loaded = load_colony([path], given)
    (job,) = loaded.spec.jobs
    assert job.envs == {"A": "hand", "B": "hand", "C": "hand"}
    assert job.secrets == {"T": "hunter2"}
    assert "hunter2" not in repr(loaded) + loaded.spec.model_dump_json()


def test_variables_reach_every_job_and_the_roles_that_name_them(tmp_path):
    jobs = "jobs: [{name: a, roles: {r: {run: x, envs: {A: role, B: role}}}}, {name: b, run: x}]\n"
    first, second = load_colony([write(tmp_path, text=COLONY + jobs)], {"A": "hand"}).spec.jobs
    assert (first.envs, second.envs) == ({"A": "hand"}, {"A": "hand"})
    assert first.roles["r"].envs == {"A": "hand", "B": "role"}


def test_variables_on_the_command_line():
    assert parse_envs(["A=1", "B=x=y", "C", "D="], {"C": "here"}) == {
        "A": "1", "B": "x=y", "C": "here", "D": "",
    }  # fmt: skip


def test_a_variable_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("TOKEN", "hunter2")
    assert parse_envs(["TOKEN"]) == {"TOKEN": "hunter2"}


@pytest.mark.parametrize("item", ["1A=x", "=x", "", "A B=x", "NOWHERE"])
def test_a_wrong_variable_on_the_command_line(item):
    with pytest.raises(InputError, match="--env"):
        parse_envs([item], {})


@pytest.mark.parametrize("path", EXAMPLES)
def test_the_examples_are_valid_and_without_warnings(path):
    loaded = load_colony([ROOT / path])
    assert loaded.spec.jobs
    assert loaded.warnings == []


def test_the_schema_knows_every_field_and_says_what_it_is():
    found = schema()
    assert [one["$ref"] for one in found["oneOf"]] == ["#/$defs/Colony", "#/$defs/JobDocument"]
    assert set(found["$defs"]["Colony"]["required"]) == {"apiVersion", "kind", "name"}
    for name, definition in found["$defs"].items():
        assert definition["description"], name
        for field, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{field}"
    duration = found["$defs"]["Job"]["properties"]["max_run_time"]
    assert duration["type"] == ["integer", "string"]


def test_the_schema_holds_every_field_of_the_examples():
    defs = schema()["$defs"]
    for example in EXAMPLES[1:]:
        for line in (ROOT / example).read_text().splitlines():
            field, colon, _ = line.partition(":")
            if colon and field.isidentifier():
                known = {**defs["Colony"]["properties"], **defs["JobDocument"]["properties"]}
                assert field in known


def test_reading_files_does_not_load_pulumi():
    heavy = "{'pulumi', 'grpc', 'numpy', 'pandas'}"
    code = f"import sys, colony.documents; print({heavy} & set(sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


CLOSED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

FRAGMENTS = st.sampled_from(
    [
        "a: ", "- ", "name: x\n", "run: ", "\n", "  ", "{", "}", "[", "]", ":", "&a ", "*a", "'",
        "!!int ", "!!set ", "!!binary ", "!x ", "? ", "---\n", "...\n", "|\n", ">-\n", "#", "\t",
        "%", "<<: ", "kind: Job\n", "apiVersion: colony/v1\n", "kind: Colony\n", "resources:\n",
        "null", "~", "true", "1e999", ".nan", "0x", "2026-01-01", "H100:8", "\\ud800", "\u2028",
        "\x85", "é", '"',
    ]
)  # fmt: skip


def reported(path, text):
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    (report,) = validation_report([path])
    assert report["documents"]
    for document in report["documents"]:
        assert document["ok"] == (not document["errors"])
        assert isinstance(document["name"], str) and isinstance(document["kind"], str)
    json.dumps(report).encode()


@CLOSED
@given(text=st.text())
def test_any_text_gives_a_report(tmp_path, text):
    reported(tmp_path / "any.yaml", text)


@CLOSED
@given(pieces=st.lists(FRAGMENTS, max_size=25))
def test_anything_like_yaml_gives_a_report(tmp_path, pieces):
    reported(tmp_path / "any.yaml", "".join(pieces))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        "name", "clusters", "layers", "queues", "budget", "ttl", "teardown", "jobs", "resources",
        "nodes", "num_nodes", "roles", "envs", "secrets", "run", "setup", "workdir", "image",
        "service", "policy", "outputs", "framework", "queue", "max_run_time", "storage", "colony",
    ]
)  # fmt: skip
HEADS = st.sampled_from(
    [{}, *({"apiVersion": "colony/v1", "kind": kind} for kind in ("Job", "Colony"))]
)


@CLOSED
@given(head=HEADS, body=st.dictionaries(FIELDS, VALUES, max_size=5))
def test_any_values_in_any_field_give_a_report(tmp_path, head, body):
    reported(tmp_path / "any.yaml", json.dumps({**head, **body}))


FOREIGN = """\
apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata: {name: fashion}
spec:
  runtimeRef: {name: torch-distributed}
  trainer:
    image: registry.example.com/f:1
    command: [torchrun, t.py]
    env: [{name: LR, value: "1"}]
"""
SCALE = """\
apiVersion: kai.alibabacloud.com/v1alpha1
kind: ScaleIn
metadata: {name: fashion}
spec: {selector: {name: fashion}, toDelete: {count: 1}}
"""


def test_a_document_of_another_system_is_a_job(tmp_path):
    loaded = load_colony([write(tmp_path, text=FOREIGN)], {"LR": "2"})
    (job,) = loaded.spec.jobs
    assert (loaded.spec.name, job.name, job.run) == ("fashion", "fashion", "torchrun t.py")
    assert job.envs == {"LR": "2"}


def test_a_document_of_another_system_joins_a_colony_of_ours(tmp_path):
    colony = "apiVersion: colony/v1\nkind: Colony\nname: lab\n"
    loaded = load_colony([write(tmp_path, text=f"{colony}---\n{FOREIGN}")])
    assert (loaded.spec.name, [job.name for job in loaded.spec.jobs]) == ("lab", ["fashion"])


def test_a_scaling_is_valid_and_only_scale_takes_it(tmp_path):
    path = write(tmp_path, text=SCALE)
    (report,) = validation_report([path])
    (document,) = report["documents"]
    assert (document["kind"], document["ok"]) == ("ScaleIn", True)
    with pytest.raises(NotSupported, match="colony scale -f"):
        load_colony([path])


def test_a_scaling_may_have_the_name_of_its_job(tmp_path):
    (report,) = validation_report([write(tmp_path, text=f"{FOREIGN}---\n{SCALE}")])
    assert [document["ok"] for document in report["documents"]] == [True, True]


def test_what_is_wrong_in_a_scaling_is_told(tmp_path):
    error = only_error(write(tmp_path, text=SCALE.replace("{count: 1}", "{count: 1}, timeout: 0")))
    assert error["path"] == "spec.timeout"


@pytest.mark.parametrize("kind", ["PyTorchJobb", "TrainJobs"])
def test_a_near_kind_of_another_system_is_suggested(tmp_path, kind):
    error = only_error(write(tmp_path, text=FOREIGN.replace("TrainJob", kind)))
    assert error["hint"] in ("did you mean `PyTorchJob`?", "did you mean `TrainJob`?")


def test_a_colony_that_is_made_for_a_task_is_idle_as_its_task_says(tmp_path):
    file = tmp_path / "task.yaml"
    file.write_text("{run: x, resources: {autostop: {idle_minutes: 30, down: true}}}")
    idle = load_colony([file]).spec.idle
    assert (idle.delete, idle.stop) == (1800, None)
    file.write_text("{run: x, name: a, resources: {autostop: 5}}\n---\n{run: x, name: b}\n")
    first, second = (each.spec.idle for each in load_pipeline([file]))
    assert (first.stop, second) == (300, None)
