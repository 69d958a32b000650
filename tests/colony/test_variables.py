import json
import sys

import pytest

from colony.cli import main
from colony.documents import SecretItem, env_file, load_colony, parse_envs
from jobs.errors import InputError

TASK = "run: x\nenvs:\n  A:\n  B: file\nsecrets:\n  S: shown\n"


@pytest.fixture
def task(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text(TASK, encoding="utf-8")
    return path


def job_of(path, *items, environment=None):
    (job,) = load_colony([path], parse_envs(items, environment or {})).spec.jobs
    return job


def test_later_options_win(task):
    job = job_of(task, "A=1", "A=2", "B=3", "S=hidden")
    assert (job.envs, job.secrets) == ({"A": "2", "B": "3"}, {"S": "hidden"})


def test_a_secret_of_the_command_line_is_never_a_plain_variable(task):
    job = job_of(task, "A=1", SecretItem("NEW"), environment={"NEW": "canary"})
    assert job.secrets == {"S": "shown", "NEW": "canary"}
    assert "canary" not in repr(job) and "NEW" not in job.envs


def test_a_secret_takes_the_place_of_a_reference(tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text("run: x\nsecrets: ['secrets:TOKEN']\n", encoding="utf-8")
    assert job_of(path, SecretItem("TOKEN=canary")).secrets == {"TOKEN": "canary"}


def test_a_file_of_variables_is_read_as_a_shell_would(tmp_path):
    path = tmp_path / ".env"
    path.write_text("# note\n\nA=1\nexport B='two words'\nC=\"x # y\" # note\n", encoding="utf-8")
    assert env_file(path) == ["A=1", "B=two words", "C=x # y"]


@pytest.mark.parametrize("line", ["A B", "A=1 B", "A='open", "A"])
def test_a_bad_line_of_it_is_named(tmp_path, line):
    path = tmp_path / ".env"
    path.write_text(f"OK=1\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"\.env:2"):
        env_file(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.env: no such file"):
        env_file(tmp_path / "nowhere.env")


@pytest.mark.parametrize("command", ["validate", "plan", "render"])
def test_each_command_takes_all_three(task, tmp_path, command, monkeypatch, capsys):
    (tmp_path / ".env").write_text("A=from-file\nB=from-file\n", encoding="utf-8")
    options = ["--env-file", tmp_path / ".env", "--env", "B=b-option", "--secret", "N=canary"]
    more = ["--format", "json"] if command != "render" else []
    monkeypatch.setattr(sys, "argv", ["colony", command, str(task), *map(str, options), *more])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    if command == "render":
        assert "from-file" in said.out and "b-option" in said.out
    else:
        assert json.loads(said.out)
        assert "canary" not in said.out + said.err
