"""Plain `pulumi` on a world: the CLI, a language host beside it, and a stack of `colony up`."""

import shutil
import subprocess

import pytest
from colony_command import colony, task
from language_host import LanguageHost

from colony.rehearsal.world import World

STACK = "tiny"
DEADLINE = 280


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
        done = self.ask(*args)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def ask(self, *args):
        with LanguageHost() as host:
            environment = self.world.environment()
            return subprocess.run(
                [self.cli.path, *args, "-s", STACK, "--non-interactive"],
                cwd=self.world.project_dir,
                env=environment | {"PULUMI_DEBUG_LANGUAGES": f"python:{host.port}"},
                capture_output=True,
                text=True,
                timeout=DEADLINE,
            )


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


@pytest.fixture
def repeat(cli, checkout):
    """The same CLI on another world's stack."""
    return lambda world: Pulumi(cli, world, checkout)
