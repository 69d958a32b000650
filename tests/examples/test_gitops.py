"""The pipelines of `examples/gitops`: their own shell steps, run against a world to an empty
ledger; and the operator's manifests, held against its definitions."""

from __future__ import annotations

import json
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

import crds
import pipelines
import pytest
import yaml
from pipelines import Shell

from colony.rehearsal.world import World, left
from colony.toolchain import PIN

GITHUB = {
    "vars.PULUMI_BACKEND_URL": "file:///nowhere",
    "secrets.PULUMI_CONFIG_PASSPHRASE": "one",
    "github.token": "a-token",
    "github.event.number": "7",
    "github.event.client_payload.colony": "nightly",
}
GITLAB = {
    "CI_PROJECT_DIR": ".", "NOTES_TOKEN": "a-token", "CI_API_V4_URL": "https://gitlab.example.com",
    "CI_PROJECT_ID": "1", "CI_MERGE_REQUEST_IID": "7", "COLONY_COMPLETED": "nightly",
}  # fmt: skip


@pytest.fixture
def folder(checkout):
    return checkout / "examples/gitops"


@pytest.fixture
def shell(tmp_path, folder):
    """A checkout with nothing but the examples: what is installed is this one."""
    place, stubs = tmp_path / "checkout", tmp_path / "stubs"
    shutil.copytree(folder, place / "examples/gitops")
    stubs.mkdir()
    World.create(tmp_path / "world").close()
    made = Shell(place, stubs, tmp_path / "world", Path(sys.executable))
    for name in ("pip", "gh", "curl"):
        made.stub(name)
    return made


def lose(world, kind):
    """Somebody deletes a thing by hand."""
    opened = World.open(world)
    opened.start()
    thing = next(each for each in opened.inventory() if kind in each["type"])
    opened.delete(thing["id"])
    opened.stop()


def pass_time(world, seconds):
    opened = World.open(world)
    opened.advance(seconds)
    opened.close()


def previewed(shell, step, comment):
    """The money is in the comment, and nothing was made for it."""
    assert step("preview") == 0, shell.output
    assert comment in shell.calls()
    said = (shell.stubs / "comments").read_text()
    assert "per hour" in said and "at worst" in said, said
    assert left(shell.world) == []


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_github_from_a_pull_request_to_an_empty_ledger(shell, folder):
    def step(job):
        return pipelines.github(shell, folder / "github.yaml", job, GITHUB)

    previewed(shell, step, "gh pr comment 7 --body-file comment.md")
    assert step("up") == 0, shell.output
    assert step("drift") == 0, shell.output
    assert step("reap") == 0, shell.output
    assert left(shell.world) != [], "its lease has not ended"
    lose(shell.world, "natGateway")
    assert step("drift") == 1, shell.output
    assert "NatGateway" in shell.output
    assert step("down") == 0, shell.output
    assert left(shell.world) == []
    assert "nothing left" in (shell.stubs / "summary").read_text()


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_gitlab_without_a_completion_the_schedule_ends_it(shell, folder):
    def step(job):
        return pipelines.gitlab(shell, folder / "gitlab.yaml", job, GITLAB)

    previewed(shell, step, "merge_requests/7/notes")
    assert step("up") == 0, shell.output
    assert step("drift") == 0, shell.output
    assert left(shell.world) != []
    pass_time(shell.world, 6 * 3600 + 60)
    assert step("reap") == 0, shell.output
    assert left(shell.world) == []
    assert step("down") == 0, "the completion comes late, and is no error"


@pytest.mark.engine
@pytest.mark.timeout(900)
def test_the_reapers_cron_job_ends_a_colony_by_its_own_command(shell, folder, tmp_path):
    """Its arguments and environment, with folders of this machine for its volumes."""
    [job] = [one for one in manifests(folder) if one["kind"] == "CronJob"]
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    places = {each["mountPath"]: tmp_path / each["name"] for each in container["volumeMounts"]}
    secrets = {"colony-backend": {"passphrase": "one"}}
    env = pipelines.container_environment(container, secrets, places)
    assert shell.run('colony up "$FILE" --yes', {**env, "FILE": f"{folder}/colony.yaml"}) == 0
    command = pipelines.image_command(folder / "Dockerfile", container)
    assert shell.run(command, env) == 0, shell.output
    assert left(shell.world) != [], "its lease has not ended"
    pass_time(shell.world, 6 * 3600 + 60)
    assert shell.run(command, env) == 0, shell.output
    assert left(shell.world) == []


def manifests(folder):
    return [
        one
        for path in sorted((folder / "operator").glob("*.yaml"))
        for one in yaml.safe_load_all(path.read_text())
    ]


def test_the_operators_manifests_pass_its_definitions(folder):
    checked = 0
    for one in manifests(folder):
        if one["apiVersion"].split("/")[0].endswith("pulumi.com"):
            assert crds.problems(one) == []
            broken = {**one, "spec": {**one["spec"], "destroyOnFinalise": True}}
            assert crds.problems(broken), "a typo passes"
            checked += 1
    assert checked == 2


def test_nothing_that_ends_a_colony_is_cancelled_in_the_middle_or_lives_in_it(folder):
    workflow = yaml.safe_load((folder / "github.yaml").read_text())
    assert workflow["concurrency"]["cancel-in-progress"] is False
    assert yaml.safe_load((folder / "gitlab.yaml").read_text())["default"]["interruptible"] is False
    stack = next(one for one in manifests(folder) if one["kind"] == "Stack")
    assert stack["spec"]["destroyOnFinalize"] is True
    kinds = {one["kind"] for one in manifests(folder)}
    assert "Namespace" not in kinds, "no pod starts in a namespace that is going"


def test_each_trigger_starts_one_job(folder):
    """A job without a condition would run on every event."""
    workflow = yaml.safe_load((folder / "github.yaml").read_text())
    assert all("if" in job for job in workflow["jobs"].values())
    crons = {each["cron"] for each in workflow[True]["schedule"]}
    asked = " ".join(job["if"] for job in workflow["jobs"].values())
    assert all(f"'{cron}'" in asked for cron in crons)


def test_the_image_is_the_pinned_cli_and_runs_our_command_as_the_manifests_user(folder, checkout):
    lines = pipelines.dockerfile(folder / "Dockerfile")
    said = {verb: [rest for each, rest in lines if each == verb] for verb, _ in lines}
    assert said["FROM"] == [f"pulumi/pulumi-python-3.12:{PIN}"]
    ours = metadata.distribution("colony")
    [install] = re.findall(r"install .*'\.\[(.+?)\]'", " ".join(said["RUN"]))
    assert set(install.split(",")) <= set(ours.metadata.get_all("Provides-Extra"))
    assert said["ENTRYPOINT"] == [json.dumps([each.name for each in ours.entry_points])]
    users = {
        one["spec"]["jobTemplate"]["spec"]["template"]["spec"]["securityContext"]["runAsUser"]
        for one in manifests(folder)
        if one["kind"] == "CronJob"
    }
    assert [int(each) for each in said["USER"]] == list(users)
    assert lines.index(("USER", said["USER"][0])) > max(
        at for at, (verb, _) in enumerate(lines) if verb == "RUN"
    ), "what comes after it runs as that user"
    ignored = (checkout / ".dockerignore").read_text().split()
    assert {".git", ".venv", ".colony"} <= set(ignored), "histories and secrets are no part of it"
