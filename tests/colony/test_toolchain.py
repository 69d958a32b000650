import os
import stat
import threading
import time

import pytest
from processes import is_gone

from colony import gobuild, toolchain
from colony.gobuild import watched
from colony.toolchain import cache_folder, ensure_cli, find_cli, parse_version
from jobs.errors import NotReady


def script(path, body):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def pulumi(path, version="v3.255.0"):
    return script(path, f"echo {version}")


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine with nothing: an empty PATH but for the shell, an empty cache."""
    monkeypatch.setenv("COLONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COLONY_PULUMI", raising=False)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "sleep", "cat", "mkdir", "chmod"):
        (tools / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(tools))
    return tools


@pytest.fixture
def offline(bare, monkeypatch):
    """No official install; Go is a script that writes what we ask."""
    monkeypatch.setattr(toolchain, "_install", lambda root, progress: "")
    return script(
        bare / "go",
        """
case "$1" in
version) echo go version go1.99.0 linux/amd64;;
list) echo 'go: downloading a/b v1.0.0' >&2; printf 'fmt\\na/b\\nc/d\\n';;
build) printf 'fmt\\na/b\\n' >&2
  while [ "$1" != -o ]; do shift; done
  mkdir -p "${2%/*}"
  printf '#!/bin/sh\\necho v3.255.0\\n' > "$2"
  chmod 755 "$2";;
esac
""",
    )


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v3.255.0", (3, 255, 0)),
        ("3.300.1-alpha.2+dirty", (3, 300, 1)),
        ("", ()),
        ("dev", ()),
    ],
)
def test_versions_are_read(text, version):
    assert parse_version(text) == version


def test_without_a_cli_the_message_says_what_to_do(bare):
    with pytest.raises(NotReady, match="run `colony setup`"):
        find_cli()


def test_the_cli_on_path_is_taken_when_it_is_new_enough(bare):
    path = pulumi(bare / "pulumi", "v3.256.1")
    assert (find_cli().path, find_cli().how) == (path, "PATH")


def test_an_older_cli_on_path_is_passed_over(bare):
    pulumi(bare / "pulumi", "v3.254.9")
    with pytest.raises(NotReady):
        find_cli()


def test_the_named_cli_comes_first(bare, tmp_path, monkeypatch):
    pulumi(bare / "pulumi")
    mine = pulumi(tmp_path / "mine", "v3.100.0")
    monkeypatch.setenv("COLONY_PULUMI", str(mine))
    assert (find_cli().path, find_cli().version) == (mine, "3.100.0")


def test_a_named_cli_that_cannot_run_is_an_error_and_not_skipped(bare, monkeypatch):
    pulumi(bare / "pulumi")
    monkeypatch.setenv("COLONY_PULUMI", "/nowhere/pulumi")
    with pytest.raises(NotReady, match="COLONY_PULUMI"):
        find_cli()


def test_a_version_is_asked_once_a_file(bare):
    path = pulumi(bare / "pulumi")
    first = find_cli()
    stamp = path.stat()
    path.write_text("#!/bin/sh\nexit 1\n".ljust(stamp.st_size, "#"))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert find_cli() == first


def test_a_build_is_cached_and_found_again(offline, bare):
    said = []
    made = ensure_cli(said.append)
    assert made.version == "3.255.0"
    assert "built with Go 1.99.0" in made.how
    assert any("of 3 packages" in line for line in said) or "built the Pulumi CLI" in said[-1]
    offline.unlink()
    assert ensure_cli() == made == find_cli()


def test_a_touched_cli_is_checked_and_a_changed_one_refused_and_made_anew(offline):
    made = ensure_cli()
    os.utime(made.path, ns=(1, 1))
    assert find_cli() == made
    made.path.write_text("#!/bin/sh\necho v3.255.0 # somebody else's\n")
    with pytest.raises(NotReady):
        find_cli()
    assert ensure_cli().path == made.path
    assert "somebody else" not in made.path.read_text()


def test_a_killed_builder_leaves_nothing_that_looks_finished(offline):
    half = cache_folder() / "pulumi" / ".making-killed" / "root" / "bin"
    pulumi(half / "pulumi")
    with pytest.raises(NotReady):
        find_cli()
    ensure_cli()
    assert not half.exists()


def test_a_build_that_fails_says_the_compilers_last_words(offline, bare):
    script(
        bare / "go",
        "case $1 in version) echo go1.99.0;; list) echo fmt;; *) echo bad; exit 2;; esac",
    )
    with pytest.raises(NotReady, match="could not be built:\nbad"):
        ensure_cli()
    assert not list((cache_folder() / "pulumi").glob(f"{toolchain.PIN}*"))


def test_a_build_of_another_version_is_refused(offline, bare, monkeypatch):
    monkeypatch.setattr(toolchain, "_build", lambda root, p: pulumi(root / "bin/pulumi", "v3.1.0"))
    with pytest.raises(NotReady, match=r"3\.1\.0"):
        ensure_cli()


def test_go_that_is_too_old_is_passed_over_for_the_wheel(offline, bare, monkeypatch):
    script(bare / "go", "echo go version go1.2.0 linux/amd64")
    monkeypatch.setattr(
        gobuild, "_install_wheel", lambda home: script(home / "go/bin/go", "echo go1.99.0")
    )
    found = gobuild.find_go(toolchain.MODULE, cache_folder(), lambda text: None)
    assert (found.own, found.path) == (True, cache_folder() / "go" / gobuild.GO_WHEEL / "go/bin/go")


def test_the_second_of_two_builders_waits_and_takes_the_firsts(offline, monkeypatch):
    first_is_in, go_on, made = threading.Event(), threading.Event(), []
    build = toolchain._build

    def slow(root, progress):
        made.append(root)
        first_is_in.set()
        assert go_on.wait(10)
        return build(root, progress)

    def told(text):
        if "another process" in text:
            go_on.set()

    monkeypatch.setattr(toolchain, "_build", slow)
    first = threading.Thread(target=ensure_cli)
    first.start()
    assert first_is_in.wait(10)
    second = ensure_cli(told)
    first.join(10)
    assert len(made) == 1
    assert second.path.is_file()


def test_what_is_late_is_killed_with_its_children(bare):
    began = time.monotonic()
    code, lines = watched(["sh", "-c", "sleep 60 & echo $!; sleep 60"], 1.0, dict(os.environ))
    assert code == 124
    assert time.monotonic() - began < 10
    assert is_gone(int(lines[0]))


def test_the_pin_is_the_version_in_go_mod():
    module = (toolchain.MODULE / "go.mod").read_text()
    assert f"github.com/pulumi/pulumi/pkg/v3 v{toolchain.PIN}\n" in module


def test_a_cache_that_cannot_be_written_is_said(offline, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COLONY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(NotReady, match="COLONY_CACHE"):
        ensure_cli()


def test_the_built_cli_can_be_executed_by_its_owner(offline):
    assert ensure_cli().path.stat().st_mode & stat.S_IXUSR
