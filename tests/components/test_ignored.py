import pytest
from recording import GPUS, SYSTEM, inputs

from components.ignored import ignored, table

POOL = "azure-native:containerservice:AgentPool"


@pytest.mark.parametrize("type_", table())
def test_each_field_says_why_and_where_that_is_written(type_):
    for each in table()[type_]:
        assert each.why
        assert each.source.startswith("https://")


def test_a_fact_must_hold():
    assert ignored(POOL) == []
    assert ignored(POOL, "scales") == ["count"]
    assert ignored("aws:ec2/vpc:Vpc") == []


def test_a_pool_is_registered_with_them(record):
    group = record(pools=(SYSTEM, GPUS)).one("aws:eks/nodeGroup:NodeGroup", "demo-main-h100")
    assert list(group.ignoreChanges) == ["launchTemplate"]
    assert inputs(group)["launchTemplate"]
