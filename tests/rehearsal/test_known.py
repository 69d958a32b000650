"""What the SDKs say is read once; from then on a world needs no SDK."""

import json
import subprocess
import sys

import pytest

from colony.rehearsal.known import Known

TOKEN = "command:remote:Command"
PROGRAM = """
import sys
from colony.rehearsal import schema
from colony.rehearsal.known import save
print(schema.check({token!r}, {{"creat": "x"}}), schema.outputs({token!r}))
print(schema.knows("command:remote:Comand"), schema.check_config("command", {{"a": 1}}))
save(["command"])
print("SDK" if "pulumi_command" in sys.modules else "no SDK", file=sys.stderr)
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COLONY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "schemas"


def asked():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(token=TOKEN)],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr.strip()


def test_the_second_process_answers_the_same_without_the_sdk(cache):
    first, imported = asked()
    assert imported == "SDK" and "did you mean create?" in first
    assert asked() == (first, "no SDK")
    [path] = cache.iterdir()
    from importlib.metadata import version

    assert version("pulumi-command") in path.name


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_file_that_says_nothing_is_made_anew(cache, content):
    first, _ = asked()
    [path] = cache.iterdir()
    path.write_text(content)
    assert asked() == (first, "SDK")
    assert json.loads(path.read_text())["resources"][TOKEN]


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    known = Known("command", tmp_path / "file" / "x.json")
    assert known.resource(TOKEN)["outputs"]
    known.save()


def test_a_type_that_is_a_part_of_itself_is_described():
    known = Known("kubernetes", None)
    found = known.resource("kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition")
    whole = json.dumps(known.objects)
    name = next(name for name in known.objects if name.endswith(".JSONSchemaPropsArgs"))
    assert found and json.dumps({"object": name})[1:-1] in whole
    assert all(each["types"] for each in known.objects.values())
