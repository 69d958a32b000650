"""A secret that goes in by every route comes out nowhere but in its Secret."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from colony_command import Running, colony

CANARIES = {name: f"canary-{name}-41d7" for name in ("env", "file", "config")}


def seen_in_arguments():
    """The canaries in the arguments of any process there is."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes())
        except OSError:  # it has ended
            continue
    return {text for text in CANARIES.values() for line in lines if text.encode() in line}


def holders(folder):
    return {
        path.relative_to(folder).parts[0]
        for path in folder.rglob("*")
        if path.is_file() and any(text.encode() in path.read_bytes() for text in CANARIES.values())
    }


def job_file(folder):
    (folder / "key.txt").write_text(CANARIES["file"])
    checks = [f'test "$BY_{n.upper()}" = canary-"{n}"-41d7' for n in CANARIES]
    content = {
        "apiVersion": "colony/v1",
        "kind": "Job",
        "name": "canary",
        "run": " && ".join([*checks, "sleep 1"]),
        "resources": {"accelerators": "A10G:1"},
        "secrets": {
            "BY_ENV": {"env": "MY_TOKEN"},
            "BY_FILE": {"file": "key.txt"},
            "BY_CONFIG": None,
            "BY_SECRET": {"secret": "in-cluster", "key": "token"},
        },
    }
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.engine
def test_a_canary_is_nowhere_but_in_its_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_TOKEN", CANARIES["env"])
    monkeypatch.setenv("BY_CONFIG", CANARIES["config"])
    world, file = tmp_path / "world", job_file(tmp_path)
    given = ("--secret", "BY_CONFIG")
    run = Running("rehearse", file, *given, "--report", world, "--format", "json")
    arguments = set()

    def ended():
        arguments.update(seen_in_arguments())
        return (world / "state/.colony/colony/canary/receipt.json").exists()

    done = run.until(ended).end()
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    assert arguments == set()
    history = colony("history", "canary", "--world", world, "--format", "json")
    rendered = colony("render", file, *given)
    said = done.out + done.err + history.out + rendered.out
    assert not [text for text in CANARIES.values() if text in said]
    assert "in-cluster" in rendered.out
    assert holders(world) == set(), "the job's own tests have shown that its pods were given it"
