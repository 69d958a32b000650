import json

import pytest

from colony.rehearsal.calls import Refusal
from colony.rehearsal.ledger import left

ENI = "aws:ec2/networkInterface:NetworkInterface"
NODES = "aws:eks/nodeGroup:NodeGroup"
PLANE = "aws:eks/cluster:Cluster"


def nodes(bench, cluster, role, subnet, **more):
    inputs = {
        "clusterName": cluster.id,
        "nodeRoleArn": role.outputs["arn"],
        "subnetIds": [subnet.id],
        "scalingConfig": {"desiredSize": 2, "minSize": 2, "maxSize": 2},
        "instanceTypes": ["p5.48xlarge"],
        "diskSize": 100,
        **more,
    }
    return bench.create(NODES, "gpu", inputs)


def refused(do, *args, **more):
    with pytest.raises(Refusal) as caught:
        do(*args, **more)
    return caught.value


def test_outputs_are_computed_like_the_clouds(bench):
    cluster, _, subnet = bench.kubernetes()
    outputs = cluster.outputs
    assert outputs["arn"].startswith("arn:aws:eks:us-east-1:")
    assert outputs["endpoint"].startswith("https://")
    assert outputs["identities"][0]["oidcs"][0]["issuer"].startswith("https://oidc.eks.us-east-1.")
    assert outputs["vpcConfig"]["vpcId"] == subnet.outputs["vpcId"]
    assert outputs["tagsAll"] == {"colony": "x"}


def test_a_price_is_the_catalogues_times_the_nodes_and_their_disks(bench):
    from colony.market.catalog import Catalog

    nodes(bench, *bench.kubernetes())
    [line] = [line for line in left(bench.folder) if line["type"] == NODES]
    machine = Catalog.load().price_of("p5.48xlarge", "us-east-1")
    assert line["usd_per_hour"] == pytest.approx(2 * machine + 2 * 100 * 0.08 / 730)
    assert line["tags"] == {"colony": "x"}


def test_an_instance_without_a_price_is_refused_by_name(bench):
    error = refused(nodes, bench, *bench.kubernetes(), instanceTypes=["zz9.huge"])
    assert "zz9.huge" in error.message


def test_what_others_need_cannot_be_deleted(bench):
    cluster, role, subnet = bench.kubernetes()
    pool = nodes(bench, cluster, role, subnet)
    vpc = subnet.outputs["vpcId"]
    cases = [
        ("aws:ec2/vpc:Vpc", "vpc", vpc, "DependencyViolation"),
        ("aws:ec2/subnet:Subnet", "subnet", subnet.id, "DependencyViolation"),
        ("aws:eks/cluster:Cluster", "main", cluster.id, "ResourceInUseException"),
    ]
    for type_, name, id_, code in cases:
        call = bench.call("delete", type_, name, id=id_)
        error = refused(bench.simulation.perform, call)
        assert (error.code, id_ in error.message or "nodegroups" in error.message) == (code, True)
    bench.delete(NODES, "gpu", pool)
    bench.delete("aws:eks/cluster:Cluster", "main", cluster)
    bench.delete("aws:ec2/subnet:Subnet", "subnet", subnet)
    assert ENI not in bench.types()


def test_a_role_with_policies_stays_until_they_are_detached(bench):
    role = bench.create("aws:iam/role:Role", "role", {"assumeRolePolicy": "{}"})
    inputs = {"role": role.outputs["name"], "policyArn": "arn:aws:iam::aws:policy/P"}
    attached = bench.create("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "p", inputs)
    error = refused(bench.delete, "aws:iam/role:Role", "role", role)
    assert error.code == "DeleteConflict"
    bench.delete("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "p", attached)
    bench.delete("aws:iam/role:Role", "role", role)
    assert bench.types() == []


def test_a_gateway_stays_while_an_address_is_mapped(bench):
    _, gateway, subnet = bench.network()
    address = bench.create("aws:ec2/eip:Eip", "address", {"domain": "vpc"})
    inputs = {"subnetId": subnet.id, "allocationId": address.id}
    nat = bench.create("aws:ec2/natGateway:NatGateway", "nat", inputs)
    error = refused(bench.delete, "aws:ec2/internetGateway:InternetGateway", "gateway", gateway)
    assert "mapped public address" in error.message
    assert (
        refused(bench.delete, "aws:ec2/eip:Eip", "address", address).code
        == "InvalidIPAddress.InUse"
    )
    bench.delete("aws:ec2/natGateway:NatGateway", "nat", nat)
    bench.delete("aws:ec2/internetGateway:InternetGateway", "gateway", gateway)


def test_a_thing_that_does_not_exist_cannot_be_named(bench):
    error = refused(
        bench.create, "aws:ec2/subnet:Subnet", "s", {"vpcId": "vpc-0", "cidrBlock": "10.0.0.0/24"}
    )
    assert error.code == "InvalidVpcID.NotFound"


def test_addons_go_with_their_cluster(bench):
    cluster, *_ = bench.kubernetes()
    bench.create("aws:eks/addon:Addon", "dns", {"clusterName": cluster.id, "addonName": "coredns"})
    bench.delete("aws:eks/cluster:Cluster", "main", cluster)
    assert "aws:eks/addon:Addon" not in bench.types()


def test_a_name_can_exist_once(bench):
    inputs = {"assumeRolePolicy": "{}", "name": "same"}
    bench.create("aws:iam/role:Role", "one", inputs)
    assert refused(bench.create, "aws:iam/role:Role", "two", inputs).code == "EntityAlreadyExists"


def test_deleting_what_is_gone_is_fine(bench):
    bench.simulation.perform(bench.call("delete", "aws:ec2/vpc:Vpc", "vpc", id="vpc-gone"))


def test_an_update_keeps_the_id_and_moves_the_price(bench):
    cluster, role, subnet = bench.kubernetes()
    pool = nodes(bench, cluster, role, subnet)
    before = next(line["usd_per_hour"] for line in left(bench.folder) if line["type"] == NODES)
    inputs = {**bench.world.things[next(k for k in bench.world.things if NODES in k)].inputs}
    inputs["scalingConfig"] = {"desiredSize": 4, "minSize": 2, "maxSize": 4}
    call = bench.call("update", NODES, "gpu", inputs, id=pool.id, olds=pool.outputs)
    updated = bench.simulation.perform(call)
    after = next(line["usd_per_hour"] for line in left(bench.folder) if line["type"] == NODES)
    assert updated.id == pool.id
    assert after == pytest.approx(2 * before)


def test_a_control_plane_takes_no_subnets_in_other_zones(bench):
    vpc, _, _ = bench.network()
    role = bench.create("aws:iam/role:Role", "role", {"assumeRolePolicy": "{}"})

    def subnet(number, zone):
        inputs = {"vpcId": vpc.id, "cidrBlock": f"10.0.{number}.0/24", "availabilityZone": zone}
        return bench.create("aws:ec2/subnet:Subnet", f"subnet-{number}", inputs).id

    zones = ["us-east-1a", "us-east-1b", "us-east-1b", "us-east-1c"]
    a, b, other, c = (subnet(number, zone) for number, zone in enumerate(zones, 2))
    given = {"name": "main", "roleArn": role.outputs["arn"]}
    made = bench.create(PLANE, "main", {**given, "vpcConfig": {"subnetIds": [a, b]}})

    def update(*subnets):
        inputs = {**given, "vpcConfig": {"subnetIds": list(subnets)}}
        call = bench.call("update", PLANE, "main", inputs, id=made.id, olds=made.outputs)
        return bench.simulation.perform(call)

    for subnets in ((a, b, c), (a,), (a, c)):
        said = refused(update, *subnets)
        assert said.code == "InvalidParameterException"
        assert "exact set of AZs 'us-east-1a,us-east-1b' in which" in said.message
    assert "belong to the AZs 'us-east-1a,us-east-1c'" in said.message
    assert update(other, a).outputs["vpcConfig"]["subnetIds"] == [other, a]


def test_a_launch_template_counts_its_versions(bench):
    template = bench.create("aws:ec2/launchTemplate:LaunchTemplate", "t", {})
    inputs = {"name": template.outputs["name"], "imageId": "ami-1"}
    call = bench.call(
        "update", "aws:ec2/launchTemplate:LaunchTemplate", "t", inputs,
        id=template.id, olds=template.outputs,
    )  # fmt: skip
    assert template.outputs["latestVersion"] == 1
    assert bench.simulation.perform(call).outputs["latestVersion"] == 2


def test_an_output_without_a_rule_fails_the_create_by_name(bench, monkeypatch):
    rule = bench.simulation.packages["aws"].types["aws:ec2/vpc:Vpc"]
    outputs = {name: text for name, text in rule.outputs.items() if name != "arn"}
    crippled = rule.model_copy(update={"outputs": outputs})
    monkeypatch.setitem(bench.simulation.packages["aws"].types, "aws:ec2/vpc:Vpc", crippled)
    error = refused(bench.create, "aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"})
    assert "aws:ec2/vpc:Vpc.arn" in error.message


def test_a_type_without_rules_says_where_to_add_it(bench):
    call = bench.call("create", "aws:sqs/queue:Queue", "queue", {"name": "q"})
    assert "packages/aws.yaml" in refused(bench.simulation.perform, call).message


def test_functions_answer_with_their_arguments(bench):
    aws = bench.simulation.packages["aws"]
    token = "aws:index/getAvailabilityZones:getAvailabilityZones"
    found = bench.simulation.invoke(aws, token, {"state": "available"}, "eu-west-1")
    assert found["names"] == ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
    assert found["state"] == "available"
    assert "getNothing" in refused(bench.simulation.invoke, aws, "aws:x:getNothing", {}, "").message


def test_ids_follow_from_seed_and_urn_in_any_order(make_bench):
    def ids(seed, name, *order):
        bench = make_bench(name, seed=seed)
        return {
            n: bench.create("aws:ec2/vpc:Vpc", n, {"cidrBlock": "10.0.0.0/16"}).id for n in order
        }

    assert ids(1, "one", "a", "b") == ids(1, "two", "b", "a")
    assert ids(1, "three", "a")["a"] != ids(2, "four", "a")["a"]


def test_a_second_life_has_another_id(bench):
    first = bench.create("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"})
    bench.delete("aws:ec2/vpc:Vpc", "vpc", first)
    assert bench.create("aws:ec2/vpc:Vpc", "vpc", {"cidrBlock": "10.0.0.0/16"}).id != first.id


def test_secrets_never_reach_the_disk(bench):
    inputs = {"cidrBlock": "10.0.0.0/16", "tags": {"token": "hunter2"}}
    secrets = frozenset({("tags", "token")})
    made = bench.create("aws:ec2/vpc:Vpc", "vpc", inputs, secrets=secrets)
    assert made.outputs["tags"]["token"] == "hunter2"
    call = bench.call("read", "aws:ec2/vpc:Vpc", "vpc", inputs, id=made.id, olds=made.outputs)
    assert bench.simulation.read(call)[1]["tags"]["token"] == "hunter2"
    kept = "".join(path.read_text() for path in bench.folder.iterdir())
    assert json.dumps("hunter2") not in kept


@pytest.mark.parametrize(
    ("type_", "given", "deletes_first"),
    [
        ("aws:eks/cluster:Cluster", {}, False),
        ("aws:eks/cluster:Cluster", {"name": "mine"}, True),
        ("azure-native:resources:ResourceGroup", {}, False),
        ("azure-native:resources:ResourceGroup", {"resourceGroupName": "mine"}, True),
    ],
)
def test_only_what_the_program_named_is_deleted_before_what_replaces_it(
    bench, type_, given, deletes_first
):
    wanted = {"roleArn": "a", "vpcConfig": {"subnetIds": ["s"]}} if "aws" in type_ else {}
    changed = {"roleArn": "b"} if "aws" in type_ else {"location": "westus2"}
    old, _ = bench.simulation.check(bench.call("check", type_, "x", {**wanted, **given}))
    asked = {**wanted, **given, **changed}
    new, _ = bench.simulation.check(bench.call("check", type_, "x", asked, olds=old))
    found, first = bench.simulation.diff(bench.call("diff", type_, "x", new), old)
    assert any(each.replace for each in found)
    assert first is deletes_first
