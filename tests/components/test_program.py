import hashlib
import json
import runpy

import pulumi
import pytest
from recording import JOB, colony_args, inputs, record_program

from components.program import build

SECRET = "1b47061264138c4ac30d75fd1eb44270"


def set_config(secret=(), **values):
    texts = {f"colony:{key}": json.dumps(value) for key, value in values.items()}
    pulumi.runtime.set_all_config(texts, [f"colony:{key}" for key in secret])


@pytest.fixture
def config(tmp_path):
    """The config of one stack, with an archive on disk; what is given replaces or adds keys."""
    archive = tmp_path / "code.tar.gz"
    archive.write_bytes(b"code")

    def write(**changes):
        args = colony_args(code=False)
        code = {"train": {"path": str(archive), "sha256": hashlib.sha256(b"code").hexdigest()}}
        set_config(
            secret=["secrets", "kubeconfigs"],
            **{**args, "code": code, "prices": {"date": "2026-01-01"}, **changes},
        )
        return archive

    yield write
    pulumi.runtime.set_all_config({}, [])


def record_exports():
    """What the program exports: values by name, and the names that are secret."""
    values, secrets = {}, set()

    def note(name, output):
        async def look():
            values[name] = await output.future()
            if await output.is_secret():
                secrets.add(name)

        return look()

    def program():
        build()
        exported = pulumi.runtime.get_root_resource().outputs
        return [note(name, pulumi.Output.from_input(item)) for name, item in exported.items()]

    return values, secrets, record_program(program)


def test_the_stack_config_becomes_the_colony_and_its_exports(config):
    config()
    out, secret, recording = record_exports()
    assert recording.one("colony:index:Colony").name == "demo"
    assert set(out) == {
        "clusters",
        "kubeconfigs",
        "placement",
        "usd_per_hour",
        "lease",
        "jobs",
    }
    assert out["usd_per_hour"] == pytest.approx(2 * 0.1 + 2 * 55)
    assert out["jobs"] == {"train": {"cluster": "main", "namespace": "default", "name": "train"}}
    assert out["lease"]["owner"] == "ada"
    assert secret == {"kubeconfigs"}


def test_the_archive_reaches_the_cluster(config):
    config()
    secret = record_program(build).one("kubernetes:core/v1:Secret")
    assert inputs(secret)["data"]["value"] == {"code.tar.gz": "Y29kZQ=="}


def test_secrets_of_the_config_reach_only_their_job(config):
    jobs = [{**JOB, "name": name, "secrets": {"TOKEN": ""}} for name in ("train", "other")]
    args = colony_args(jobs=jobs, code=False)
    values = {"train": {"TOKEN": "one"}, "other": {"TOKEN": "two"}}
    config(spec=args["spec"], placement=args["placement"], secrets=values)
    recording = record_program(build)
    found = inputs(recording.one("kubernetes:core/v1:Secret", "train-env"))["stringData"]
    assert found == {"4dabf18193072939515e22adb298388d": SECRET, "value": {"TOKEN": "one"}}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda archive: archive.unlink(), "code is gone"),
        (lambda archive: archive.write_bytes(b"other"), "was changed since"),
    ],
)
def test_an_archive_that_is_not_the_one_packed_stops_the_program(config, spoil, words):
    spoil(config())

    def program():
        with pytest.raises(pulumi.RunError, match=words):
            build()

    assert record_program(program).of("colony:index:Colony") == []


def test_a_wrong_config_names_its_path(config):
    config(lease={"colony": "demo"})

    def program():
        with pytest.raises(pulumi.RunError, match=r"lease\.stack"):
            build()

    record_program(program)


def test_the_folder_of_stacks_runs_the_same_program(config, checkout):
    config()
    recording = record_program(lambda: runpy.run_path(str(checkout / "stacks")) and None)
    assert recording.one("colony:index:Colony").name == "demo"
