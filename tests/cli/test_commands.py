from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from colony.rehearsal.world import World

BAD = sorted((Path(__file__).parents[1] / "colony" / "bad").iterdir())
EXAMPLES = Path(__file__).parents[2] / "examples"


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


@pytest.mark.parametrize("file", BAD, ids=[path.stem for path in BAD])
def test_a_bad_file_is_one_clear_error_and_changes_nothing(run, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = snapshot(tmp_path), snapshot(Path(os.environ["HOME"]))
    for command in (("validate", file), ("rehearse", file), ("run", file, "--yes")):
        code, out, err = run(*command)
        assert code == 2, f"{command}: {out}{err}"
        assert file.name in out + err
        assert "Traceback" not in out + err
    assert (snapshot(tmp_path), snapshot(Path(os.environ["HOME"]))) == before


@pytest.mark.parametrize("name", ["missing.yaml", "."])
def test_what_is_no_file_is_refused_by_name(run, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run("run", name)
    assert (code, name in err) == (2, True)


OURS = [
    path
    for path in sorted(EXAMPLES.rglob("*.yaml"))
    if "gitops" not in path.parts or path.name == "colony.yaml"  # pipelines are other systems'
]


@pytest.mark.parametrize("file", OURS, ids=lambda path: path.name)
def test_every_example_is_valid_and_has_an_offer(run, file):
    assert run("validate", file)[0] == 0
    code, out, err = run("plan", file, "--format", "json")
    assert code == 0, err
    plans = json.loads(out)
    for plan in plans if isinstance(plans, list) else [plans]:
        assert plan["chosen"] in plan["offers"]


def test_a_plan_says_what_validate_warns_of(run, tmp_path):
    path = tmp_path / "task.yaml"
    path.write_text("run: x\napi_server_access: false\nresources: {gpus: L4}\n", encoding="utf-8")
    code, out, err = run("plan", path, "--format", "json")
    assert (code, json.loads(out)["chosen"]["accelerators"]) == (0, "L4")
    assert "api_server_access: not used" in err


def test_a_real_cloud_is_not_touched_without_consent(run, monkeypatch, tmp_path):
    def nothing_may_start(*_):
        raise AssertionError("the engine was started before the price was agreed to")

    monkeypatch.setattr("colony.engine.Engine.__init__", nothing_may_start)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    code, out, err = run("run", EXAMPLES / "task.yaml")
    assert (code, "--local-state" in err) == (2, True)
    code, out, err = run("run", EXAMPLES / "task.yaml", "--local-state")
    assert (code, "--yes" in err, "per hour" in out) == (2, True, True)


def test_a_backend_that_is_not_built_is_refused_by_name(run, monkeypatch):
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s4://bucket")
    code, _, err = run("status")
    assert (code, "PULUMI_BACKEND_URL: s4:// is no backend" in err) == (2, True)


@pytest.mark.parametrize(
    "asked",
    ["status", "reap --yes", "sweep", "sweep --expired --yes", "history", "jobs demo", "down demo"],
)
def test_who_only_looks_makes_no_backend_and_is_told_that_there_is_none(run, tmp_path, asked):
    typo = f"file://{tmp_path}/typo"
    code, out, err = run(*asked.split(), "--backend", typo)
    assert (code, out) == (2, "")
    assert f"--backend: there is no folder {tmp_path}/typo" in err
    world = tmp_path / "world"
    World.create(world).close()
    if "--expired" not in asked:
        code, _, err = run(*asked.split(), "--backend", typo, "--world", world)
        assert (code, "there is no folder" in err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_exec_is_refused_outside_a_world(run, monkeypatch, tmp_path):
    code, _, err = run("run", EXAMPLES / "task.yaml", "--yes", "--exec")
    assert (code, "--world" in err) == (2, True)


def test_a_folder_without_a_world_is_refused(run, tmp_path):
    code, _, err = run("reap", "--world", tmp_path)
    assert (code, "holds no world" in err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_render_prints_manifests_that_can_be_read_back(run):
    import yaml

    code, out, _ = run("render", EXAMPLES / "ddp" / "task.yaml")
    kinds = [document["kind"] for document in yaml.safe_load_all(out)]
    assert (code, "JobSet" in kinds) == (0, True)
    assert "      #!/usr/bin/env bash" in out or "|" in out


@pytest.mark.parametrize(
    ("backend", "kind"),
    [("jobset", "JobSet"), ("job", "Job"), ("volcano", "Job"), ("trainjob", "TrainJob")],
)
def test_render_takes_another_back_end(run, tmp_path, backend, kind):
    import yaml

    file = tmp_path / "job.yaml"
    file.write_text("apiVersion: colony/v1\nkind: Job\nname: demo\nnodes: 2\nrun: train\n")
    code, out, _ = run("render", file, "--backend", backend)
    assert (code, list(yaml.safe_load_all(out))[-1]["kind"]) == (0, kind)


@pytest.mark.parametrize(
    ("backend", "said"),
    [("jobst", "did you mean `jobset`"), ("mpijob", "mpijob does not run pytorch")],
)
def test_render_refuses_a_back_end_that_cannot(run, tmp_path, backend, said):
    file = tmp_path / "job.yaml"
    file.write_text("apiVersion: colony/v1\nkind: Job\nname: demo\nrun: train\n")
    code, _, err = run("render", file, "--backend", backend)
    assert code == 2
    assert said in " ".join(err.split())


def test_no_module_that_costs_start_up_time_is_imported_for_help():
    import subprocess

    code = "import sys, colony.cli.app; print([m for m in HEAVY if m in sys.modules])"
    heavy = ["pulumi", "grpc", "boto3", "kubernetes", "pydantic", "yaml", "rich"]
    out = subprocess.run(
        [sys.executable, "-c", code.replace("HEAVY", repr(heavy))],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert out.stdout.strip() == "[]"
