"""The finalizer graph by what the engine really deletes: no object outlives its controller."""

import json

import pytest
from finalizers import outlived_in_log
from golden_colony import golden
from recording import colony_args

from stacks import STACKS

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PROGRAM = """
    import json
    from components.colony import Colony
    Colony("demo", json.loads({args!r}))
"""
RELEASE = "kubernetes:helm.sh/v3:Release"


@pytest.mark.parametrize("name", STACKS)
def test_no_object_of_a_golden_stack_outlives_its_controller(make_world, engine, name):
    """On a cluster that is there: in one of ours they go with it."""
    world = make_world()
    world.add_cluster("existing/lab")
    program = PROGRAM.format(args=json.dumps(colony_args(**golden(name, "existing"))))
    [up] = engine(world, program, "up")
    assert up["ok"], up
    file = world.dir / "state/.pulumi/stacks/colony/first.json"
    state = json.loads(file.read_text())["checkpoint"]["latest"]["resources"]
    [destroyed] = engine(world, program, "destroy")
    assert destroyed["ok"], destroyed
    gone = [each for each in world.operations() if each["op"] == "delete"]
    assert {each["urn"] for each in state if each["type"] == RELEASE} <= {e["urn"] for e in gone}
    assert outlived_in_log(gone, state) == []
    assert outlived_in_log(gone[::-1], state), "nothing here has a controller"
