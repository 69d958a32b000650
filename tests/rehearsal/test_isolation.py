"""What fails in one cluster stops nothing of its neighbour, on the real engine."""

import pytest

pytestmark = pytest.mark.engine

TWO = """
    import os
    import pulumi, pulumi_aws as aws, pulumi_kubernetes as k8s
    from components.isolation import contained, known_of

    class Inner(pulumi.ComponentResource):
        def __init__(self, name, cluster, access, after):
            super().__init__("colony:index:Inner", name, {}, pulumi.ResourceOptions(parent=cluster))
            inside = pulumi.ResourceOptions(
                parent=self, provider=access, deleted_with=after[0], depends_on=after
            )
            space = k8s.core.v1.Namespace(f"{name}-space", metadata={"name": name}, opts=inside)
            k8s.core.v1.ConfigMap(
                f"{name}-settings", metadata={"name": "x", "namespace": space.metadata["name"]},
                opts=inside,
            )
            self.register_outputs({})

    class Cluster(pulumi.ComponentResource):
        def __init__(self, name, tag):
            super().__init__("colony:index:Test", name, {}, contained(None))
            mine = pulumi.ResourceOptions(parent=self)
            cloud = aws.Provider(
                f"{name}-aws", region="us-east-1", default_tags={"tags": {"colony": tag}}, opts=mine
            )
            opts = pulumi.ResourceOptions(parent=self, provider=cloud)
            vpc = aws.ec2.Vpc(f"{name}-vpc", cidr_block="10.0.0.0/16", opts=opts)
            subnet = aws.ec2.Subnet(
                f"{name}-subnet", vpc_id=vpc.id, cidr_block="10.0.1.0/24", opts=opts
            )
            role = aws.iam.Role(f"{name}-role", assume_role_policy="{}", opts=opts)
            main = aws.eks.Cluster(
                f"{name}-eks", role_arn=role.arn, vpc_config={"subnet_ids": [subnet.id]}, opts=opts
            )
            pool = aws.eks.NodeGroup(
                f"{name}-pool", cluster_name=main.name, node_role_arn=role.arn,
                subnet_ids=[subnet.id], instance_types=["g5.xlarge"],
                scaling_config={"min_size": 1, "max_size": 1, "desired_size": 1}, opts=opts,
            )
            self.address = main.endpoint
            access = k8s.Provider(
                f"{name}-access", cluster_identifier=main.arn,
                kubeconfig=pulumi.Output.secret(main.endpoint), opts=mine,
            )
            Inner(f"{name}-job", self, access, [main, pool])
            self.register_outputs({"address": self.address})

    both = {name: Cluster(name, os.environ.get(name, "x")) for name in ("one", "two")}
    pulumi.export("addresses", known_of({name: each.address for name, each in both.items()}))
"""


def done(world, op):
    return {
        entry["urn"].split("::")[-1]
        for entry in world.operations()
        if entry["op"] == op and "error" not in entry and "urn" in entry
    }


def of(name, *parts):
    return {f"{name}-{part}" for part in parts}


EVERYTHING = ("vpc", "subnet", "role", "eks", "pool", "job-space", "job-settings")


@pytest.mark.parametrize(
    ("type_", "never"),
    [
        ("aws:ec2/vpc:Vpc", EVERYTHING[:2] + EVERYTHING[3:]),
        ("aws:iam/role:Role", EVERYTHING[2:]),
        ("aws:eks/cluster:Cluster", EVERYTHING[3:]),
    ],
    ids=["its network", "its role", "its control plane"],
)
def test_a_cluster_whose_part_is_refused_stops_nothing_of_its_neighbour(
    make_world, engine, type_, never
):
    fault = {"op": "create", "type": type_, "urn": "*::one-*", "error": "throttling", "times": 1}
    world = make_world(faults={"faults": [fault]})
    refused, repaired, destroyed = engine(world, TWO, "up", "up", "destroy")
    told = {urn.split("::")[-1] for urn in refused["failures"] if urn}
    assert (refused["ok"], told) == (False, of("one", never[0]))
    assert repaired["ok"], repaired
    assert set(repaired["outputs"]["addresses"]) == {"one", "two"}
    creates = [
        entry["urn"].split("::")[-1]
        for entry in world.operations()
        if entry["op"] == "create" and "error" not in entry and "urn" in entry
    ]
    first = creates[: len(creates) - len(never)]
    assert set(first) == of("two", *EVERYTHING) | (of("one", *EVERYTHING) - of("one", *never))
    assert sorted(creates) == sorted(of("one", *EVERYTHING) | of("two", *EVERYTHING))
    assert destroyed["ok"] and world.inventory(everything=True) == []


def test_what_is_known_of_the_others_can_be_read_while_one_is_not_there(make_world, engine):
    fault = {"op": "create", "type": "aws:eks/cluster:*", "urn": "*::one-*", "error": "quota"}
    world = make_world(faults={"faults": [fault]})
    program = TWO + '    pulumi.export("seen", "yes")\n'
    [refused] = engine(world, program, "up")
    assert not refused["ok"]
    [read] = engine(world, program, "outputs")
    assert (read["outputs"]["seen"], set(read["outputs"]["addresses"])) == ("yes", {"two"})


def test_an_update_that_is_refused_touches_nothing_that_runs_in_the_cluster(make_world, engine):
    fault = {
        "op": "update", "type": "aws:ec2/vpc:Vpc", "urn": "*::one-*",
        "error": "throttling", "times": 1,
    }  # fmt: skip
    world = make_world(faults={"faults": [fault]})
    [made] = engine(world, TWO, "up")
    refused, repaired = engine(world, TWO, "up", "up", one="y", two="y")
    assert made["ok"] and not refused["ok"] and repaired["ok"]
    assert done(world, "delete") == set()
    assert len([e for e in world.operations() if e["op"] == "create"]) == 2 * len(EVERYTHING)
    tagged = of("one", *EVERYTHING[:5]) | of("two", *EVERYTHING[:5])
    assert done(world, "update") == tagged
