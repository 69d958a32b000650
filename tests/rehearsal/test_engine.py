"""The real engine on the simulated world; each test is one or two processes and some seconds."""

import json

import pytest

from colony.rehearsal.timeline import destroy_levels, destroy_timeline, up_timeline
from colony.rehearsal.world import World, left

pytestmark = pytest.mark.engine

NETWORK = """
    import pulumi, pulumi_aws as aws

    cloud = aws.Provider("cloud", region="us-east-1", default_tags={"tags": {"colony": "x"}})
    opts = pulumi.ResourceOptions(provider=cloud)
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16", opts=opts)
    subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.0.1.0/24", opts=opts)
    address = aws.ec2.Eip("address", domain="vpc", opts=opts)
"""
CLUSTER = (
    NETWORK
    + """
    import pulumi_kubernetes as k8s

    role = aws.iam.Role("role", assume_role_policy="{}", opts=opts)
    main = aws.eks.Cluster(
        "main", role_arn=role.arn, vpc_config={"subnet_ids": [subnet.id]}, opts=opts
    )
    access = k8s.Provider(
        "access", cluster_identifier=main.arn, kubeconfig=pulumi.Output.secret(main.endpoint)
    )
    inside = pulumi.ResourceOptions(provider=access, deleted_with=main)
"""
)


def gone(*steps):
    assert all(step["ok"] for step in steps), steps


def ops(world, op):
    return [
        entry["urn"].split("::")[-1]
        for entry in world.operations()
        if entry["op"] == op and "error" not in entry and "urn" in entry
    ]


def ids(world):
    return {e["urn"]: e["id"] for e in world.operations() if e["op"] == "create" and "urn" in e}


def test_a_stack_is_made_changed_replaced_and_destroyed(make_world, engine):
    world = make_world()
    preview, up, again = engine(world, NETWORK, "preview", "up", "up")
    assert preview["changes"]["create"] == up["changes"]["create"] == 5
    assert again["changes"] == {"same": 5}
    assert [thing["type"] for thing in world.left()] == ["aws:ec2/eip:Eip"]
    assert world.left()[0]["tags"] == {"colony": "x"}

    changed = NETWORK.replace("10.0.1.0/24", "10.0.2.0/24").replace('"x"', '"y"')
    [after] = engine(world, changed, "up")
    assert after["changes"]["replace"] == 1
    assert after["changes"]["update"] >= 2
    assert world.left()[0]["tags"] == {"colony": "y"}
    assert ops(world, "delete") == ["subnet"]

    refreshed, destroyed = engine(world, changed, "refresh", "destroy")
    gone(refreshed, destroyed)
    assert refreshed["changes"] == {"same": 5}
    assert world.left() == world.inventory(everything=True) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'pulumi.CustomResource("aws:ec2/vpc:Vpc", "bad", {"cidrBlok": "10.0.0.0/16"}, opts)',
            "did you mean cidrBlock",
        ),
        (
            'aws.ec2.Subnet("bad", vpc_id="vpc-0", cidr_block="10.9.0.0/24", opts=opts)',
            "InvalidVpcID.NotFound",
        ),
    ],
    ids=["before it is asked for", "by the cloud"],
)
def test_what_a_cloud_would_refuse_is_refused(make_world, engine, line, said):
    world = make_world()
    up, destroyed = engine(world, f"{NETWORK}\n    {line}\n", "up", "destroy")
    [text] = [text for urn, text in up["failures"].items() if urn.endswith("::bad")]
    assert said in text
    gone(destroyed)
    assert world.inventory(everything=True) == []


def test_a_package_without_a_simulated_provider_is_an_error_and_no_download(make_world, engine):
    world = make_world()
    program = """
    import pulumi
    pulumi.CustomResource("random:index/randomId:RandomId", "dice", {"byteLength": 4})
    """
    [up] = engine(world, program, "up")
    assert "no resource plugin 'pulumi-resource-random' found" in json.dumps(up)


def test_a_fault_that_passes_lets_the_next_up_through(make_world, engine):
    fault = {"op": "create", "urn": "*::address", "error": "throttling", "times": 1}
    world = make_world(faults=[fault])
    first, second, destroyed = engine(world, NETWORK, "up", "up", "destroy")
    assert "ThrottlingException" in json.dumps(first["failures"])
    gone(second, destroyed)
    assert world.left() == []


def test_a_pool_without_capacity_is_in_the_state_and_can_be_destroyed(make_world, engine):
    world = make_world(faults=[{"type": "aws:eks/nodeGroup:*", "error": "capacity"}])
    pool = """
    aws.eks.NodeGroup(
        "gpu", cluster_name=main.name, node_role_arn=role.arn, subnet_ids=[subnet.id],
        scaling_config={"desired_size": 2, "min_size": 2, "max_size": 2},
        instance_types=["p5.48xlarge"], opts=opts,
    )
    """
    up, destroyed = engine(world, CLUSTER + pool, "up", "destroy")
    assert "InsufficientInstanceCapacity" in json.dumps(up)
    gone(destroyed)
    assert "gpu" in ops(world, "delete")
    assert world.inventory(everything=True) == []


@pytest.mark.parametrize(("when", "there"), [("before", 0), ("after", 1)])
def test_a_run_is_killed_and_its_world_is_not(make_world, engine, when, there):
    world = make_world(faults=[{"op": "create", "urn": "*::address", "kill": when}])
    assert engine(world, NETWORK, "up", PARALLEL="1") == {"killed": 9}
    assert len(left(world.dir)) == there
    state = json.loads(next((world.dir / "state").rglob("first.json")).read_text())
    pending = state["checkpoint"]["latest"]["pending_operations"]
    assert [entry["resource"]["urn"].split("::")[-1] for entry in pending] == ["address"]
    again = World.open(world.dir)
    assert [thing["type"] for thing in again.inventory()] == ["aws:ec2/eip:Eip"] * there


def test_what_controllers_made_outlives_a_destroy(make_world, engine):
    made = [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "board"},
            "spec": {"type": "LoadBalancer"},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data"},
            "spec": {"resources": {"requests": {"storage": "100Gi"}}},
        },
    ]
    world = make_world(faults=[{"op": "create", "urn": "*::settings", "objects": made}])
    settings = '    k8s.core.v1.ConfigMap("settings", data={"a": "b"}, opts=inside)\n'
    up, destroyed = engine(world, CLUSTER + settings, "up", "destroy")
    gone(up)
    # the balancer's interfaces hold the subnet, and that holds its VPC
    assert "DependencyViolation" in json.dumps(destroyed["failures"])
    assert {t["type"] for t in world.left()} == {
        "aws:lb/loadBalancer:LoadBalancer",
        "aws:ebs/volume:Volume",
    }
    for thing in world.left():
        world.delete(thing["id"])
    [destroyed] = engine(world, CLUSTER, "destroy")
    gone(destroyed)
    assert world.inventory(everything=True) == []


def test_in_cluster_objects_come_in_order_and_go_with_their_cluster(make_world, engine):
    world = make_world()
    layers = """
    jobset = k8s.helm.v3.Release(
        "jobset", chart="oci://registry.k8s.io/jobset/charts/jobset", name="jobset",
        namespace="jobset-system", create_namespace=True, opts=inside,
    )
    k8s.core.v1.Secret("env", string_data={"TOKEN": pulumi.Output.secret("hunter2")}, opts=inside)
    k8s.apiextensions.CustomResource(
        "train", api_version="jobset.x-k8s.io/v1alpha2", kind="JobSet", spec={"suspend": False},
        opts=pulumi.ResourceOptions.merge(inside, pulumi.ResourceOptions(depends_on=[jobset])),
    )
    """
    up, again, destroyed = engine(world, CLUSTER + layers, "up", "up", "destroy")
    gone(up, again, destroyed)
    assert set(again["changes"]) == {"same"}
    assert ops(world, "create").index("jobset") < ops(world, "create").index("train")
    assert {"jobset", "train", "env"}.isdisjoint(ops(world, "delete"))
    assert world.inventory(everything=True) == []
    written = "".join(p.read_text() for p in world.dir.glob("*.jsonl"))
    assert "hunter2" not in written


def test_one_seed_gives_one_world(make_world, engine):
    found = []
    for name, seed in (("one", 1), ("two", 1)):
        world = make_world(name, seed=seed)
        gone(*engine(world, NETWORK, "up"))
        found.append(json.dumps(ids(world), sort_keys=True))
    assert found[0] == found[1]


def test_the_computed_timeline_is_the_real_one(make_world, engine):
    world = make_world(real_time=0.01, checkpoints=True)
    slow = """
    nat = aws.ec2.NatGateway("nat", allocation_id=address.id, subnet_id=subnet.id, opts=opts)
    role = aws.iam.Role("role", assume_role_policy="{}", opts=opts)
    """
    [up] = engine(world, NETWORK + slow, "up")
    gone(up)
    state = json.loads(next((world.dir / "state").rglob("first.json")).read_text())
    resources = state["checkpoint"]["latest"]["resources"]
    took = world.durations()
    up_seconds = {urn: s for (urn, op), s in took.items() if op == "create"}
    computed = up_timeline(resources, up_seconds)
    ends = [computed[e["urn"]][1] for e in world.operations() if e["op"] == "create"]
    # a busy machine may swap what ends within 20 s of each other (0.2 s here): nothing else
    assert all(end > max(ends[:index], default=0) - 20 for index, end in enumerate(ends))

    [destroyed] = engine(world, NETWORK, "destroy")
    gone(destroyed)
    down_seconds = {urn: s for (urn, op), s in world.durations().items() if op == "delete"}
    computed = destroy_timeline(resources, down_seconds)
    level = {urn: index for index, urns in enumerate(destroy_levels(resources)) for urn in urns}
    real = [e["urn"] for e in world.operations() if e["op"] == "delete"]
    assert [level[urn] for urn in real] == sorted(level[urn] for urn in real)
    assert [computed[urn][1] for urn in real] == sorted(computed[urn][1] for urn in real)
