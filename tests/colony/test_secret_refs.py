"""Secrets that a file only refers to."""

from __future__ import annotations

import jsonschema
import pytest
import yaml

from colony.documents import SecretItem, load_colony, parse_envs, read_documents, schema
from jobs.backends import render
from jobs.context import JobContext

CANARY = "canary-8c1f"
HEAD = {"apiVersion": "colony/v1", "kind": "Job", "name": "j", "run": "true"}


def written(folder, secrets, body=None):
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump({**(HEAD if body is None else body), "secrets": secrets}))
    return path


def problems(path):
    return [str(each) for document in read_documents(path) for each in document.problems]


@pytest.mark.parametrize("body", [HEAD, {"name": "j", "run": "true"}], ids=["job", "task"])
def test_values_come_from_the_environment_and_from_files(tmp_path, monkeypatch, body):
    monkeypatch.setenv("MY_TOKEN", CANARY)
    (tmp_path / "key.txt").write_text(f"{CANARY}-file\n")
    path = written(tmp_path, {"A": {"env": "MY_TOKEN"}, "B": {"file": "key.txt"}}, body)
    (job,) = load_colony([path]).spec.jobs
    assert job.secrets == {"A": CANARY, "B": f"{CANARY}-file"}
    assert CANARY not in repr(job) + job.model_dump_json()


@pytest.mark.parametrize("body", [HEAD, {"name": "j", "run": "true"}], ids=["job", "task"])
def test_a_secret_of_the_cluster_is_only_pointed_to(tmp_path, body):
    path = written(tmp_path, {"A": {"secret": "registry", "key": "token"}}, body)
    (job,) = load_colony([path]).spec.jobs
    assert job.secrets == {}
    manifests = render(job, JobContext(colony="c", cluster="k", cloud="aws", region="r"))
    wanted = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "registry", "key": "token"}}}
    assert str(wanted) in str(manifests)


def test_the_jobs_of_a_colony_may_refer_too(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", CANARY)
    path = tmp_path / "colony.yaml"
    job = {"name": "j", "run": "true", "secrets": {"A": {"env": "MY_TOKEN"}}}
    content = {"apiVersion": "colony/v1", "kind": "Colony", "name": "c", "jobs": [job]}
    path.write_text(yaml.safe_dump(content))
    assert load_colony([path]).spec.jobs[0].secrets == {"A": CANARY}
    monkeypatch.delenv("MY_TOKEN")
    assert "jobs[0].secrets.A.env: MY_TOKEN: is not in the environment" in problems(path)[0]


def test_the_command_line_wins_and_then_the_reference_is_not_opened(tmp_path):
    path = written(tmp_path, {"A": {"env": "NOT_THERE"}})
    (job,) = load_colony([path], parse_envs([SecretItem("A=given")])).spec.jobs
    assert job.secrets == {"A": "given"}


@pytest.mark.parametrize(
    "reference, said",
    [
        ({"env": "NOT_THERE"}, "secrets.A.env: NOT_THERE: is not in the environment"),
        ({"file": "gone.txt"}, "secrets.A.file: gone.txt: No such file"),
        ({"file": "."}, "secrets.A.file: "),
        ({"fil": "x"}, "did you mean `file`"),
        ({"env": "A", "file": "b"}, "is no reference to a secret"),
        ({"env": 3}, "is no reference to a secret"),
        ({}, "is no reference to a secret"),
        ({"secret": "name"}, "is no reference to a secret"),
    ],
)
@pytest.mark.parametrize("body", [HEAD, {"name": "j", "run": "true"}], ids=["job", "task"])
def test_a_reference_that_leads_nowhere_is_told_with_its_path(tmp_path, body, reference, said):
    (problem,) = problems(written(tmp_path, {"A": reference}, body))
    assert said in problem


def test_the_schema_knows_the_three_forms():
    checked = jsonschema.Draft202012Validator(schema())
    for good in ({"env": "A"}, {"file": "b"}, {"secret": "s", "key": "k"}, "x", None):
        assert not list(checked.iter_errors({**HEAD, "secrets": {"A": good}})), good
    for bad in ({"env": 3}, {"secret": "s"}, {"en": "A"}):
        assert list(checked.iter_errors({**HEAD, "secrets": {"A": bad}})), bad
