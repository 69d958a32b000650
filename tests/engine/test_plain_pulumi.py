"""Plain `pulumi preview|up|destroy -s NAME` in a copy of the checkout, and `colony up`: one
program, one stack, one state."""

import json

import pytest
import yaml
from colony_command import colony

from colony.rehearsal.world import left

pytestmark = pytest.mark.engine

STACK = "tiny"
ANSWERED = ("created", "modified", "outputs", "id", "sourcePosition", "stackTrace")
"""What of a resource is not registered by the program."""


def registrations(pulumi):
    """What the program said of each resource; a provider is known by a random id."""
    state = json.loads(pulumi("stack", "export", "--show-secrets"))["deployment"]
    found = {}
    for resource in state["resources"]:
        kept = {key: in_order(value) for key, value in resource.items() if key not in ANSWERED}
        kept["provider"] = kept.get("provider", "").rpartition("::")[0]
        found[kept.pop("urn")] = kept
    return found


def in_order(value):
    """Dependencies come in the order in which they were ready."""
    if isinstance(value, dict):
        return {key: in_order(item) for key, item in value.items()}
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return sorted(value)
    return value


def test_plain_up_registers_what_colony_up_registers_and_colony_down_ends_it(plain, priced, repeat):
    assert " to create" in plain("preview")
    assert left(plain.world.dir) == []
    plain("up", "--yes", "--skip-preview")
    ours, theirs = registrations(repeat(priced)), registrations(plain)
    assert sorted(theirs) == sorted(ours)
    assert {urn: (theirs[urn], ours[urn]) for urn in ours if theirs[urn] != ours[urn]} == {}
    assert len(ours) > 20

    plain("up", "--yes", "--skip-preview", "--expect-no-changes")

    assert left(plain.world.dir)
    done = colony("down", STACK, "--yes", "--world", plain.world.dir)
    assert done.code == 0, done.out + done.err
    assert left(plain.world.dir) == []


def test_plain_up_after_colony_up_changes_nothing_and_plain_destroy_ends_it(
    priced, repeat, checkout
):
    pulumi = repeat(priced)
    pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert left(priced.dir)
    update = yaml.safe_load((checkout / "examples/gitops/operator/end.yaml").read_text())["spec"]
    assert (update["type"], update["continueOnError"]) == ("destroy", True)
    pulumi("destroy", "--yes", "--skip-preview", "--continue-on-error",
           f"--parallel={update['parallel']}")  # fmt: skip
    assert left(priced.dir) == []
    assert "resources" not in json.loads(pulumi("stack", "export"))["deployment"]
    # others have ended it: the reaper does not wait for the lease to prove it
    done = colony("reap", "--yes", "--world", priced.dir, "--format", "json")
    assert (done.code, [(one["action"], one["clean"]) for one in done.json]) == (
        0,
        [("reap", True)],
    )
    [life] = colony("history", "--world", priced.dir, "--format", "json").json
    assert life["clean"] and "others have destroyed" in life["reason"]
