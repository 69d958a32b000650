import os

import pytest

from colony import gobuild
from colony.gobuild import Go, Program
from jobs.errors import NotReady

GO = """
printf 'CGO_ENABLED=%s GOFLAGS=%s: %s\\n' "$CGO_ENABLED" "$GOFLAGS" "$*" >> "$GO_SAID"
case "$1" in
list) echo 'go: downloading x' >&2
  case " $* " in *" -m "*) echo /modules/x;; *) echo fmt; echo a/b;; esac;;
build) echo fmt >&2
  while [ "$1" != -o ]; do shift; done
  case "$2" in */) touch "$2"/one "$2"/two;; *) echo made > "$2";; esac;;
esac
"""


@pytest.fixture
def said(tmp_path, monkeypatch):
    monkeypatch.setenv("GO_SAID", str(tmp_path / "said"))
    monkeypatch.delenv("GOFLAGS", raising=False)
    return lambda: (tmp_path / "said").read_text().splitlines()


@pytest.fixture
def go(tmp_path):
    path = tmp_path / "go"
    path.write_text(f"#!/bin/sh\n{GO}")
    path.chmod(0o755)
    return Go(path, (1, 99, 0), "a script")


def build(go, tmp_path, program, output="out"):
    told = []
    gobuild.compile_program(
        go, tmp_path, program, tmp_path / output, tmp_path / "cache", told.append
    )
    return told


def test_a_program_is_built_with_its_flags_tags_and_no_cgo(go, tmp_path, said):
    told = build(go, tmp_path, Program("thing", ("x/thing",), "-s -X a.b=c", ("one", "two")))
    assert (tmp_path / "out").read_text() == "made\n"
    listed, built = said()
    assert "list -mod=readonly -tags one,two -deps" in listed
    assert built.startswith("CGO_ENABLED=0 ")
    assert "-tags one,two -trimpath -buildvcs=false -ldflags -s -X a.b=c -o" in built
    assert told[-1].startswith("built thing in 0:0")


def test_cgo_is_on_where_a_program_asks_for_it(go, tmp_path, said):
    build(go, tmp_path, Program("thing", ("x/thing",), cgo=True))
    assert all(line.startswith("CGO_ENABLED=1 ") for line in said())


def test_several_mains_are_built_into_a_folder(go, tmp_path, said):
    build(go, tmp_path, Program("things", ("x/one", "x/two")))
    assert sorted(each.name for each in (tmp_path / "out").iterdir()) == ["one", "two"]
    assert said()[-1].endswith("x/one x/two")


def test_the_folder_of_a_module_is_found(go, tmp_path, said):
    found = gobuild.module_folder(go, tmp_path, "x/y", tmp_path / "cache")
    assert str(found) == "/modules/x"
    assert said()[-1].endswith("x/y")


def test_a_module_that_cannot_be_had_is_said(go, tmp_path, said):
    go.path.write_text("#!/bin/sh\necho no network; exit 1\n")
    with pytest.raises(NotReady, match="x/y could not be had:\nno network"):
        gobuild.module_folder(go, tmp_path, "x/y", tmp_path / "cache")
    with pytest.raises(NotReady, match="modules of thing could not be had:\nno network"):
        build(go, tmp_path, Program("thing", ("x/thing",)))


@pytest.mark.parametrize("own", [True, False])
def test_only_the_wheels_caches_are_forgotten(go, tmp_path, said, own):
    used = Go(go.path, go.version, go.how, own=own)
    cache = tmp_path / "cache"
    for folder in ("go", "go-work"):
        (cache / folder).mkdir(parents=True)
    build(used, tmp_path, Program("thing", ("x/thing",)))
    assert ("GOFLAGS=-modcacherw" in said()[-1]) == own
    gobuild.forget(used, cache)
    assert sorted(os.listdir(cache)) == ([] if own else ["go", "go-work"])
