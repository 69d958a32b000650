"""The test bed's builder, with a script in place of Go."""

import json
import threading

import pytest
import yaml
from testbed import build

from colony.toolchain import cache_folder
from jobs.errors import NotReady

GO = """#!/bin/sh
case "$1" in
version) echo go version go1.99.0 linux/amd64;;
list) case " $* " in *" -m "*) echo "$MODULES/$6";; *) echo fmt;; esac;;
build) echo "$*" >> "$MODULES/said"
  [ -e "$MODULES/broken" ] && { echo bad code; exit 2; }
  while [ "$1" != -o ]; do shift; done
  case "$2" in */) touch "$2/one";; *) echo program > "$2";; esac;;
esac
"""
ROWS = {
    "plain": {"module": "mod", "packages": ["x/plain"]},
    "own": {"module": "mod", "packages": ["./own"]},
    "stamped": {
        "module": "mod",
        "packages": ["x/stamped"],
        "stamp": "example.com/stamped",
        "flags": "-X v={version} -X m={major}.{minor}",
    },
    "with-files": {
        "module": "mod",
        "packages": ["x/files"],
        "files": {"example.com/files": ["crds", "one.yaml"]},
    },
    "special": {"module": "mod", "packages": ["x/c"], "system": {"libnone-dev": ["false"]}},
}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """tools/testbed, the cache and the module cache, all of this test alone."""
    tools = tmp_path / "tools"
    (tools / "mod" / "own").mkdir(parents=True)
    (tools / "mod" / "go.mod").write_text(
        "module x\n\ngo 1.20\n\nrequire example.com/stamped v1.36.3\n"
    )
    (tools / "mod" / "go.sum").write_text("sums\n")
    (tools / "mod" / "own" / "main.go").write_text("package main\n")
    (tools / "programs.yaml").write_text(yaml.safe_dump(ROWS))
    source = tmp_path / "modules" / "example.com" / "files"
    (source / "crds").mkdir(parents=True)
    (source / "crds" / "a.yaml").write_text("a: 1\n")
    (source / "one.yaml").write_text("one: 1\n")
    (source / "crds").chmod(0o555)
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(GO)
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    monkeypatch.setenv("MODULES", str(tmp_path / "modules"))
    monkeypatch.setenv("COLONY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(build, "TOOLS", tools)
    forget()
    yield tmp_path / "modules"
    forget()
    (source / "crds").chmod(0o755)


def forget():
    build._rows.cache_clear()
    build._hash.cache_clear()


def said(modules):
    file = modules / "said"
    return file.read_text().splitlines() if file.exists() else []


def quiet(*names):
    return build.programs(*names, progress=lambda text: None)


def test_only_what_is_asked_for_is_built_and_only_once(modules):
    (path,) = quiet("plain").values()
    assert path.read_text() == "program\n"
    assert len(said(modules)) == 1
    assert quiet("plain") == {"plain": path}
    assert len(said(modules)) == 1


def test_the_version_of_go_mod_is_stamped(modules):
    quiet("stamped")
    assert "-X v=1.36.3 -X m=1.36" in said(modules)[0]


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "own/main.go"])
def test_another_source_is_another_program(modules, changed):
    first = quiet("own")["own"]
    with (build.TOOLS / "mod" / changed).open("a") as stream:
        stream.write("// more\n")
    forget()
    second = quiet("own")["own"]
    assert first != second
    assert first.exists()  # another checkout may use it


def test_another_row_is_another_program_and_old_ones_go(modules):
    made = []
    for flags in ("-a", "-b", "-c"):
        rows = {**ROWS, "plain": {**ROWS["plain"], "flags": flags}}
        (build.TOOLS / "programs.yaml").write_text(yaml.safe_dump(rows))
        forget()
        made.append(quiet("plain")["plain"])
    assert [each.exists() for each in made] == [False, True, True]


def test_the_files_of_a_module_are_kept_beside_its_program(modules):
    with pytest.raises(NotReady, match="with-files is not built"):
        build.files("with-files")
    quiet("with-files")
    kept = build.files("with-files")
    assert (kept / "crds" / "a.yaml").read_text() == "a: 1\n"
    assert (kept / "one.yaml").read_text() == "one: 1\n"
    assert (kept / "crds").stat().st_mode & 0o200  # so that it can be removed again


def test_a_build_that_fails_leaves_nothing(modules):
    (modules / "broken").touch()
    with pytest.raises(NotReady, match="plain could not be built:\nbad code"):
        quiet("plain")
    assert [each.name for each in (cache_folder() / "testbed").iterdir()] == [".lock"]
    (modules / "broken").unlink()
    assert quiet("plain")["plain"].exists()


def test_what_a_program_needs_of_the_system_is_said_before_it_is_built(modules):
    with pytest.raises(NotReady, match="apt-get install libnone-dev"):
        quiet("special")
    assert said(modules) == []


def test_the_second_of_two_builders_waits_and_takes_the_firsts(modules, monkeypatch):
    first_is_in, go_on = threading.Event(), threading.Event()
    make = build._make

    def slow(name, progress):
        first_is_in.set()
        assert go_on.wait(10)
        make(name, progress)

    def told(text):
        if "another process" in text:
            go_on.set()

    monkeypatch.setattr(build, "_make", slow)
    first = threading.Thread(target=quiet, args=("plain",))
    first.start()
    assert first_is_in.wait(10)
    build.programs("plain", progress=told)
    first.join(10)
    assert len(said(modules)) == 1


def test_a_killed_builder_leaves_nothing_that_looks_finished(modules):
    half = cache_folder() / "testbed" / ".making-killed" / "fresh" / "program"
    half.parent.mkdir(parents=True)
    half.touch()
    quiet("plain")
    assert not half.exists()


def test_a_cache_that_cannot_be_written_is_said(modules, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("COLONY_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(NotReady, match="COLONY_CACHE"):
        quiet("plain")


def test_every_program_names_a_module_that_is_there():
    forget()
    rows = build._rows()
    for name, row in rows.items():
        module = build.TOOLS / row["module"]
        assert (module / "go.sum").is_file(), name
        own = [each for each in row["packages"] if each.startswith("./")]
        assert all(list((module / each).glob("*.go")) for each in own), name
    assert set(build.NODE) < set(rows)
    assert json.dumps(rows)  # what the hash is made of
