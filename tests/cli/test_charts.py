"""`colony charts lock` and `check` against a repository and a registry on loopback."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest
import yaml
from chart_store import SHIPS, digest, files, registry, served

import charts


def packed(**values):
    """The chart's archive, with some values changed."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path in sorted(p for p in SHIPS.rglob("*") if p.is_file()):
            data = path.read_bytes()
            if path.name == "values.yaml":
                data = yaml.safe_dump({**yaml.safe_load(data), **values}).encode()
            info = tarfile.TarInfo(f"ships/{path.relative_to(SHIPS)}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(out.getvalue(), mtime=0)


def crds():
    found = yaml.safe_load((SHIPS / "crds" / "ship.yaml").read_text())
    return [found["metadata"]["name"]]


def entry(name, chart, repository=None, version="1.0.0", values=None):
    return {
        "name": name, "title": name, "chart": chart, "repository": repository, "version": version,
        "namespace": name, "timeout": 60, "sources": ["https://example.com"], "when": "named",
        "values": {"greeting": "hello"} if values is None else values,
        "provides": {"crds": crds()},
    }  # fmt: skip


class Shop:
    """A repository, a registry that wants a token, and a folder of entries that name both."""

    def __init__(self, folder, http, oci):
        self.folder, self.http, self.oci = folder, http, oci
        self.write(entry("by-http", "ships", self.repository))
        self.write(entry("by-oci", f"oci://127.0.0.1:{oci}/charts/ships", version="1.0.0+b"))

    @property
    def repository(self):
        return f"http://127.0.0.1:{self.http}/"

    def write(self, data):
        (self.folder / f"{data['name']}.yaml").write_text(yaml.safe_dump(data))
        charts.load.cache_clear()

    def lock(self):
        return yaml.safe_load((self.folder / charts.LOCK).read_text())

    def publish(self, data):
        (self.folder / "served" / "ships-1.0.0.tgz").write_bytes(data)
        line = {"version": "1.0.0", "created": "2026-08-01T00:00:00Z", "urls": ["ships-1.0.0.tgz"]}
        line["digest"] = hashlib.sha256(data).hexdigest()
        index = {"apiVersion": "v1", "entries": {"ships": [line]}}
        (self.folder / "served" / "index.yaml").write_text(yaml.safe_dump(index))


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.setattr(charts, "FOLDER", tmp_path)
    (tmp_path / "served").mkdir()
    archive = tmp_path / "ships.tgz"
    archive.write_bytes(packed())
    packages = {"ships:1.0.0_b": archive}
    with served(files(tmp_path / "served")) as http, served(registry(packages, "t0ken")) as oci:
        made = Shop(tmp_path, http, oci)
        made.publish(packed())
        yield made
    charts.load.cache_clear()


def states(run, command):
    code, out, _ = run("charts", command, "--format", "json")
    return code, {each["name"]: each for each in json.loads(out)}


def test_the_lock_has_what_both_kinds_of_store_publish(run, shop):
    code, found = states(run, "lock")
    ours = digest(packed()).removeprefix("sha256:")
    assert code == 0, found
    assert {name: line["digest"] for name, line in shop.lock().items()} == {
        "by-http": ours, "by-oci": ours,
    }  # fmt: skip
    assert shop.lock()["by-http"]["seen"] == "index of the repository, 2026-08-01"
    assert (shop.folder / charts.LOCK).read_text().startswith("# What each pin is")
    assert states(run, "check")[0] == 0
    before = shop.lock()
    assert (states(run, "lock")[0], shop.lock()) == (0, before)


def test_a_lock_without_digests_is_a_difference(run, shop):
    code, found = states(run, "check")
    assert code == 1
    assert "the lock is of another pin" in found["by-http"]["problems"]
    assert "`colony charts lock` writes it" in found["by-oci"]["problems"][1]


def test_an_archive_that_was_exchanged_is_told_and_not_locked(run, shop):
    states(run, "lock")
    before = shop.lock()
    shop.publish(packed(sails=4))
    for command in ("check", "lock"):
        code, found = states(run, command)
        assert code == 1
        assert "and the lock has" in found["by-http"]["problems"][0]
        assert found["by-oci"]["problems"] == []
    assert shop.lock() == before


def test_what_is_served_must_be_what_the_index_says(run, shop):
    states(run, "lock")
    (shop.folder / "served" / "ships-1.0.0.tgz").write_bytes(packed(sails=4))
    code, found = states(run, "check")
    assert (code, "the archive is" in found["by-http"]["problems"][0]) == (1, True)


def test_a_path_that_is_not_in_the_published_chart_is_named_with_a_near_match(run, shop):
    shop.write(entry("by-http", "ships", shop.repository, values={"greting": "hello"}))
    assert states(run, "lock")[0] == 0
    code, out, err = run("charts", "check")
    assert code == 1
    assert "by-http: greting is not in the chart, did you mean greeting?" in err
    assert [line.split()[-1] for line in out.splitlines() if "by-" in line] == ["differs", "ok"]


def test_a_version_that_is_not_there_is_named_with_those_that_are(run, shop):
    states(run, "lock")
    before = shop.lock()
    shop.write(entry("by-http", "ships", shop.repository, version="9.9.9"))
    code, found = states(run, "lock")
    assert code == 1
    assert "has no ships 9.9.9; it has 1.0.0" in found["by-http"]["problems"][0]
    assert shop.lock() == before


def test_offline_is_said_and_loses_nothing(run, shop):
    states(run, "lock")
    # Nothing listens there: the discard port of this machine.
    away = entry("away", "ships", "http://127.0.0.1:9/")
    shop.write(away)
    line = {key: away[key] for key in ("chart", "repository", "version")}
    before = {**shop.lock(), "away": {**line, "digest": "ab" * 32, "seen": "last year"}}
    (shop.folder / charts.LOCK).write_text(yaml.safe_dump(before))
    code, out, err = run("charts", "check")
    assert (code, "offline: 127.0.0.1:9 cannot be reached" in err) == (3, True)
    assert "not reached" in out
    assert states(run, "lock")[0] == 3
    assert shop.lock() == before


def test_our_own_charts_need_no_store(run, tmp_path, monkeypatch):
    own = charts.load()["mpi-operator"].model_dump(mode="json")
    monkeypatch.setattr(charts, "FOLDER", tmp_path)
    (tmp_path / "mpi-operator.yaml").write_text(yaml.safe_dump(own))
    code, found = states(run, "lock")
    assert (code, found["mpi-operator"]["unreachable"]) == (0, "")
    charts.load.cache_clear()
