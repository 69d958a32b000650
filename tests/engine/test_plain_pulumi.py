"""Plain `pulumi preview|up|destroy -s NAME` in a copy of the checkout, and `colony up`: one
program, one stack, one state."""

import json
import shutil
import subprocess

import pytest
from colony_command import colony, task
from language_host import LanguageHost

from colony.rehearsal.world import World, left

pytestmark = pytest.mark.engine

STACK = "tiny"
ANSWERED = ("created", "modified", "outputs", "id", "sourcePosition", "stackTrace")
"""What of a resource is not registered by the program."""


class Pulumi:
    """The plain CLI in a world's project, with a language host attached."""

    def __init__(self, cli, world, checkout):
        self.cli, self.world = cli, world
        for name in ("Pulumi.yaml", "stacks"):  # the checkout's own, not the world's copy
            target = world.project_dir / name
            copy = shutil.copytree if target.is_dir() else shutil.copy
            more = {"dirs_exist_ok": True} if target.is_dir() else {}
            copy(checkout / name, target, **more)

    def __call__(self, *args):
        with LanguageHost() as host:
            environment = self.world.environment()
            done = subprocess.run(
                [self.cli.path, *args, "-s", STACK, "--non-interactive"],
                cwd=self.world.project_dir,
                env=environment | {"PULUMI_DEBUG_LANGUAGES": f"python:{host.port}"},
                capture_output=True,
                text=True,
                timeout=100,
            )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture(scope="module")
def priced(tmp_path_factory, cli):
    """The world, and its stack, of one `colony up`."""
    folder = tmp_path_factory.mktemp("priced")
    world = World.create(folder / "world", seed=7)
    done = colony("up", task(folder), "--yes", "--world", world.dir)
    assert done.code == 0, done.err
    yield world
    world.stop()


@pytest.fixture
def plain(tmp_path, cli, checkout, priced):
    """Plain pulumi in another world of the same seed, with the config that `colony up` wrote."""
    world = World.create(tmp_path / "world", seed=7)
    pulumi = Pulumi(cli, world, checkout)
    shutil.copy(priced.dir / "passphrase", world.dir / "passphrase")
    config = f"stacks/Pulumi.{STACK}.yaml"
    shutil.copy(priced.project_dir / config, world.project_dir / config)
    pulumi("stack", "init")
    yield pulumi
    world.stop()


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


def test_plain_up_registers_what_colony_up_registers_and_colony_down_ends_it(
    plain, priced, cli, checkout
):
    assert " to create" in plain("preview")
    assert left(plain.world.dir) == []
    plain("up", "--yes", "--skip-preview")
    ours, theirs = registrations(Pulumi(cli, priced, checkout)), registrations(plain)
    assert sorted(theirs) == sorted(ours)
    assert {urn: (theirs[urn], ours[urn]) for urn in ours if theirs[urn] != ours[urn]} == {}
    assert len(ours) > 20

    plain("up", "--yes", "--skip-preview", "--expect-no-changes")

    assert left(plain.world.dir)
    done = colony("down", STACK, "--yes", "--world", plain.world.dir)
    assert done.code == 0, done.out + done.err
    assert left(plain.world.dir) == []


def test_plain_up_after_colony_up_changes_nothing_and_plain_destroy_ends_it(priced, cli, checkout):
    pulumi = Pulumi(cli, priced, checkout)
    pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")
    assert left(priced.dir)
    pulumi("destroy", "--yes", "--skip-preview")
    assert left(priced.dir) == []
    assert "resources" not in json.loads(pulumi("stack", "export"))["deployment"]
