"""A chart behind a login, lived: its password is nowhere in plain text."""

import json
from pathlib import Path

import pytest
from colony_command import colony

pytestmark = pytest.mark.engine

CANARY = "canary-7f2d"
COLONY = {
    "apiVersion": "colony/v1", "kind": "Colony", "name": "lab",
    "layers": {"mine": {
        "chart": "mine", "repository": "https://charts.example.com", "version": "1.2.3",
        "login": {"username": "bob", "password_env": "CHARTS_PASSWORD"},
    }},
    "jobs": [{"name": "train", "run": "true", "resources": {"accelerators": "A10G:1"}}],
}  # fmt: skip


def test_the_password_of_a_repository_is_nowhere_in_plain_text(tmp_path):
    world, file = tmp_path / "world", tmp_path / "colony.yaml"
    file.write_text(json.dumps(COLONY))
    done = colony(
        "rehearse", file, "--format", "json", "--report", world, CHARTS_PASSWORD=CANARY
    )  # fmt: skip
    assert (done.code, done.json["outcome"]) == (0, "succeeded"), done.err
    made = [each["urn"] for each in done.json["events"] if each["what"] == "created"]
    assert any(urn.endswith("Release::lab-main-mine") for urn in made)
    holders = [
        path for path in Path(world).rglob("*")
        if path.is_file() and CANARY.encode() in path.read_bytes()
    ]  # fmt: skip
    assert holders == []
    assert CANARY not in done.out + done.err
