import pytest

from colony.rehearsal import schema
from colony.rehearsal.templates import UNKNOWN

CLUSTER = "aws:eks/cluster:Cluster"
NODES = "aws:eks/nodeGroup:NodeGroup"
SERVICE = "kubernetes:core/v1:Service"
GOOD = {"roleArn": "arn", "vpcConfig": {"subnetIds": ["subnet-1"]}}


@pytest.mark.parametrize(
    ("token", "inputs", "path", "reason"),
    [
        (CLUSTER, {**GOOD, "rolArn": "x"}, "rolArn", "did you mean roleArn"),
        (CLUSTER, {"roleArn": "x"}, "vpcConfig", "missing"),
        (CLUSTER, {**GOOD, "roleArn": 1}, "roleArn", "must be a string"),
        (CLUSTER, {**GOOD, "vpcConfig": []}, "vpcConfig", "must be an object"),
        (CLUSTER, {**GOOD, "vpcConfig": {}}, "vpcConfig.subnetIds", "missing"),
        (
            CLUSTER,
            {**GOOD, "vpcConfig": {"subnetIds": ["a", 1]}},
            "vpcConfig.subnetIds[1]",
            "must be a string",
        ),
        (
            CLUSTER,
            {**GOOD, "vpcConfig": {"subnetIds": [], "subnetsIds": []}},
            "vpcConfig.subnetsIds",
            "did you mean subnetIds",
        ),
        (CLUSTER, {**GOOD, "tags": {"a": True}}, "tags.a", "must be a string"),
        (
            CLUSTER,
            {**GOOD, "bootstrapSelfManagedAddons": "no"},
            "bootstrapSelfManagedAddons",
            "true or false",
        ),
        (
            NODES,
            {"scalingConfig": {"desiredSize": 1.5}},
            "scalingConfig.desiredSize",
            "whole number",
        ),
        (SERVICE, {"spec": {"ports": [{"port": "80"}]}}, "spec.ports[0].port", "whole number"),
        (SERVICE, {"spec": {"ports": {}}}, "spec.ports", "must be a list"),
        (SERVICE, {"kind": "Servise"}, "kind", "one of"),
    ],
)
def test_an_input_is_refused_with_its_path(token, inputs, path, reason):
    found = {failure.path: failure.reason for failure in schema.check(token, inputs)}
    assert reason in found[path]


@pytest.mark.parametrize(
    ("token", "inputs"),
    [
        (CLUSTER, GOOD),
        (CLUSTER, {"roleArn": UNKNOWN, "vpcConfig": UNKNOWN}),
        (CLUSTER, {**GOOD, "__defaults": ["name"], "tags": {"a": "b"}}),
        (
            SERVICE,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "spec": {"ports": [{"port": 80, "targetPort": "web"}]},
            },
        ),
        (SERVICE, {"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}),
        (
            "kubernetes:helm.sh/v3:Release",
            {"chart": "c", "values": {"anything": [1, {"at": "all"}]}},
        ),
        ("kubernetes:jobset.x-k8s.io/v1alpha2:JobSet", {"spec": {"free": 1}}),
    ],
)
def test_good_inputs_pass(token, inputs):
    assert schema.check(token, inputs) == []


def test_an_unknown_type_is_not_known():
    assert schema.knows(CLUSTER)
    assert not schema.knows("aws:eks/cluster:Clustre")
    assert not schema.knows("nosuchcloud:a:B")


def test_outputs_say_what_is_always_there():
    outputs = schema.outputs(CLUSTER)
    assert outputs["endpoint"].always
    assert not outputs["encryptionConfig"].always
    assert outputs["clusterId"].empty == ""


def test_a_providers_own_inputs_are_checked_too():
    assert schema.check_config("aws", {"region": "us-east-1", "version": "7"}) == []
    [failure] = schema.check_config("aws", {"regoin": "us-east-1"})
    assert "did you mean region" in failure.reason
