"""What other languages get: the schema as the CLI reads it, and an SDK made from it."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest
from pulumi.provider.experimental.component import ComponentProvider

from colony.gobuild import Program, compile_program, find_go
from colony.toolchain import cache_folder
from components.colony import Colony
from components.training_job import TrainingJob

SDK = "colony.dev/tools/sdkgen/sdk/colony"


@pytest.fixture(scope="module")
def schema():
    return json.loads(ComponentProvider([Colony, TrainingJob], "colony", None, "0.1.0").schema)


@pytest.fixture
def check(cli, tmp_path):
    def run(schema):
        path = tmp_path / "schema.json"
        path.write_text(json.dumps(schema))
        return subprocess.run(
            [cli.path, "schema", "check", path], capture_output=True, text=True, timeout=100
        )

    return run


def test_the_cli_finds_no_fault_with_the_schema_of_the_code(check, schema):
    done = check(schema)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_cli_would_tell_a_type_that_is_not_there(check, schema):
    broken = json.loads(json.dumps(schema))
    spec = broken["resources"]["colony:index:Colony"]["inputProperties"]["spec"]
    spec["$ref"] = "#/types/colony:index:Nothing"
    assert check(broken).returncode != 0


@pytest.mark.sdk
@pytest.mark.timeout(1800)
def test_an_sdk_for_go_compiles(checkout, tmp_path, schema):
    """A module of its own pins the generator; the CLI has none for Go without its plugin."""
    module = tmp_path / "module"
    shutil.copytree(checkout / "tools/sdkgen", module)
    go = find_go(module, cache_folder(), print)
    generator, path = tmp_path / "sdkgen", tmp_path / "schema.json"
    path.write_text(json.dumps(schema))
    wanted = Program("the generator", ("colony.dev/tools/sdkgen",))
    compile_program(go, module, wanted, generator, cache_folder(), print)
    subprocess.run([generator, path, module / "sdk"], check=True, timeout=300)
    made = (module / "sdk/colony/colony.go").read_text()
    assert "type ColonyArgs struct" in made
    library = tmp_path / "colony.a"
    compile_program(go, module, Program("the SDK", (SDK,)), library, cache_folder(), print)
    assert library.exists()
