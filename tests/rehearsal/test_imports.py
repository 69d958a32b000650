"""A colony's program needs the SDKs of its own clouds, and no others."""

import json
import subprocess
import sys

import pytest
from golden_colony import POOLS, REGIONS
from recording import JOB, colony_args

pytestmark = pytest.mark.engine

SDKS = {"aws": "pulumi_aws", "azure": "pulumi_azure_native", "gcp": "pulumi_gcp",
        "onprem": "pulumi_command"}  # fmt: skip
JOBS = [{key: value for key, value in JOB.items() if key not in ("queue", "priority")}]
PROGRAM = """
    import json, sys
    from components.colony import Colony
    Colony("demo", json.loads({args!r}))
    with open({seen!r}, "w") as file:
        json.dump(sorted(sys.modules), file)
"""


@pytest.mark.parametrize("cloud", ["aws", "azure", "gcp"])
def test_clouds_that_a_colony_does_not_use_are_not_imported(make_world, engine, tmp_path, cloud):
    seen = tmp_path / "seen.json"
    args = colony_args(cloud, POOLS[cloud], JOBS, code=False, region=REGIONS[cloud])
    program = PROGRAM.format(args=json.dumps(args), seen=str(seen))
    [preview] = engine(make_world(), program, "preview")
    assert preview["ok"] and preview["changes"]["create"] > 15, preview
    assert set(SDKS.values()) & set(json.loads(seen.read_text())) == {SDKS[cloud]}


def test_the_command_line_imports_no_cloud_at_all():
    code = "import sys, colony.cli.app, components.program; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    assert not set(SDKS.values()) & set(done.stdout.split())
