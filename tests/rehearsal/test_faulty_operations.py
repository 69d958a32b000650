import pytest

from colony.rehearsal.calls import Refusal
from colony.rehearsal.ledger import left

VPC = "aws:ec2/vpc:Vpc"
NODES = "aws:eks/nodeGroup:NodeGroup"
INPUTS = {"cidrBlock": "10.0.0.0/16"}


def refused(do, *args, **more):
    with pytest.raises(Refusal) as caught:
        do(*args, **more)
    return caught.value


def pool(bench):
    cluster, role, subnet = bench.kubernetes()
    inputs = {
        "clusterName": cluster.id, "nodeRoleArn": role.outputs["arn"], "subnetIds": [subnet.id],
        "scalingConfig": {"desiredSize": 2, "minSize": 2, "maxSize": 2},
        "instanceTypes": ["p5.48xlarge"],
    }  # fmt: skip
    return bench.create(NODES, "gpu", inputs)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("capacity", "InsufficientInstanceCapacity"),
        ("quota", "VcpuLimitExceeded"),
        ("throttling", "ThrottlingException"),
        ("credentials", "ExpiredTokenException"),
        ("unauthorized", "AccessDeniedException"),
        ("unsupported", "Unsupported"),
    ],
)
def test_a_fault_speaks_the_clouds_words(make_bench, error, code):
    bench = make_bench(faults=[{"urn": "*::vpc", "error": error}])
    found = refused(bench.create, VPC, "vpc", INPUTS)
    assert found.code == code
    assert code in found.message
    assert bench.types() == []


def test_a_fault_may_have_words_of_its_own(make_bench):
    bench = make_bench(faults=[{"urn": "*::vpc", "error": "quota", "message": "no more"}])
    assert refused(bench.create, VPC, "vpc", INPUTS).message == "no more"


def test_what_fails_twice_then_works(make_bench):
    bench = make_bench(
        faults=[{"op": "create", "urn": "*::vpc", "error": "throttling", "times": 2}]
    )
    for _ in range(2):
        refused(bench.create, VPC, "vpc", INPUTS)
    assert bench.create(VPC, "vpc", INPUTS).id.startswith("vpc-")
    attempts = [entry["attempt"] for entry in bench.simulation.store.entries]
    assert attempts == [1, 2, 3]


def test_attempts_are_remembered_by_the_world_that_is_opened_again(make_bench):
    faults = [{"op": "create", "urn": "*::vpc", "error": "throttling", "times": 2}]
    refused(make_bench(faults=faults).create, VPC, "vpc", INPUTS)
    refused(make_bench(faults=faults).create, VPC, "vpc", INPUTS)
    assert make_bench(faults=faults).create(VPC, "vpc", INPUTS).id.startswith("vpc-")


def test_a_pool_without_capacity_is_there_without_its_machines(make_bench):
    bench = make_bench(faults=[{"type": NODES, "error": "capacity"}])
    error = refused(pool, bench)
    assert error.half.outputs["status"] == "CREATE_FAILED"
    assert "p5.48xlarge" in error.message
    assert NODES in bench.types()
    assert NODES not in {line["type"] for line in left(bench.folder)}


def test_slowness_shows_in_the_seconds(make_bench):
    bench = make_bench(faults=[{"urn": "*::vpc", "slow": "10x"}])
    assert bench.create(VPC, "vpc", INPUTS).seconds == 120


def test_a_create_that_outlasts_its_time_is_there_nevertheless(make_bench):
    bench = make_bench(faults=[{"urn": "*::vpc", "slow": 600}])
    error = refused(bench.create, VPC, "vpc", INPUTS, timeout=300)
    assert (error.seconds, error.half.id[:4]) == (300, "vpc-")
    assert bench.types() == [VPC]


@pytest.mark.parametrize(("when", "there"), [("before", []), ("after", [VPC])])
def test_a_kill_strikes_before_or_after_the_effect(make_bench, when, there):
    strikes = []
    faults = [{"op": "create", "urn": "*::vpc", "kill": when}]
    bench = make_bench(faults=faults, kill=lambda: strikes.append(bench.types()))
    if when == "before":
        refused(bench.create, VPC, "vpc", INPUTS)
    else:
        bench.create(VPC, "vpc", INPUTS)
    assert strikes == [there]
    bench.create(VPC, "vpc", INPUTS)
    assert len(strikes) == 1


def test_a_user_job_makes_objects_of_its_own(make_bench):
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "board"},
        "spec": {"type": "LoadBalancer"},
    }
    bench = make_bench(faults=[{"op": "create", "urn": "*::settings", "objects": [service]}])
    bench.kubernetes()
    bench.object("kubernetes:core/v1:ConfigMap", "settings")
    assert "aws:lb/loadBalancer:LoadBalancer" in {line["type"] for line in left(bench.folder)}


def test_a_read_can_fail_too(make_bench):
    bench = make_bench(faults=[{"op": "read", "urn": "*::vpc", "error": "credentials", "times": 1}])
    made = bench.create(VPC, "vpc", INPUTS)
    call = bench.call("read", VPC, "vpc", id=made.id)
    assert refused(bench.simulation.read, call).code == "ExpiredTokenException"
    assert bench.simulation.read(call)[1]["arn"] == made.outputs["arn"]


def test_a_fault_finds_what_it_deletes_by_its_inputs(make_bench):
    where = {"cidrBlock": "10.*"}
    bench = make_bench(
        faults=[{"op": "delete", "type": VPC, "where": where, "error": "dependency"}]
    )
    made = bench.create(VPC, "vpc", INPUTS)
    assert refused(bench.delete, VPC, "vpc", made).code == "DependencyViolation"
