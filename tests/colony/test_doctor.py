import pytest

from colony import doctor as room
from colony.doctor import doctor
from colony.toolchain import Cli
from jobs.errors import NotReady


@pytest.fixture
def healthy(monkeypatch, tmp_path):
    """A machine that lacks nothing; a test takes one thing away."""
    monkeypatch.setenv("COLONY_CACHE", str(tmp_path))
    monkeypatch.setattr(room, "find_cli", lambda: Cli(tmp_path / "pulumi", "3.255.0", "PATH"))
    monkeypatch.setattr(room, "_installed", lambda package: "9999.0.0")
    return monkeypatch


def failing():
    return {check.name: check for check in doctor() if not check.ok}


def found(name):
    return next(check for check in doctor() if check.name == name)


def test_a_machine_that_lacks_nothing_passes_every_check(healthy):
    assert failing() == {}


def test_a_missing_cli_says_the_command_that_makes_one(healthy):
    def missing():
        raise NotReady("no Pulumi CLI: not on PATH; run it")

    healthy.setattr(room, "find_cli", missing)
    assert failing()["Pulumi CLI"].fix == "colony setup"


def test_a_named_cli_that_is_too_old_fails(healthy, tmp_path):
    healthy.setattr(room, "find_cli", lambda: Cli(tmp_path, "3.200.0", "COLONY_PULUMI"))
    assert failing()["Pulumi CLI"].fix == "3.255.0 or newer"


def test_the_extra_of_a_cloud_that_is_built_is_needed_and_others_are_not(healthy):
    healthy.setattr(room, "_installed", lambda p: "9999.0.0" if p == "pulumi" else "")
    assert set(failing()) == {"extra [aws]"}
    assert "pip install" in failing()["extra [aws]"].fix


def test_an_sdk_that_is_too_old_fails(healthy):
    healthy.setattr(room, "_installed", lambda package: "3.100.0")
    assert set(failing()) == {"Pulumi SDK"}


def test_a_cache_that_cannot_be_written_fails(healthy, tmp_path):
    (tmp_path / "file").touch()
    healthy.setenv("COLONY_CACHE", str(tmp_path / "file" / "cache"))
    assert "COLONY_CACHE" in failing()["cache"].fix


def test_tools_that_are_not_there_are_said_and_not_needed(healthy):
    healthy.setenv("PATH", "/nowhere")
    assert failing() == {}
    assert "not on PATH" in found("kubectl").found
    assert "not needed" in found("Go").found


def test_credentials_are_named_and_never_shown(healthy):
    assert "none" in found("AWS credentials").found
    healthy.setenv("AWS_ACCESS_KEY_ID", "AKIA-hush")
    healthy.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    assert found("AWS credentials").found == "AWS_ACCESS_KEY_ID"
    assert "hush" not in repr(doctor())
