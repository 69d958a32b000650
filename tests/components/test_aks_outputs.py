"""Results to `az://`: an identity of the pods' own, by federation, for the named blobs alone."""

import json

import pytest
from recording import colony_args, inputs, record_program

from colony.rehearsal import schema
from components.clusters.azure.data import aks, blobs_of, condition
from components.inputs import _whole

ASSIGNED = "azure-native:authorization:RoleAssignment"
DEFINED = "azure-native:authorization:RoleDefinition"
TRUSTED = "azure-native:managedidentity:FederatedIdentityCredential"
SYSTEM = {"name": "system", "instance_type": "Standard_D4s_v5", "nodes": 2, "cpus": 4,
          "memory_gib": 16, "price_per_node_hour": 0.2}  # fmt: skip


def job(name, to=None, **more):
    outputs = {"outputs": [{"path": "out", "to": to}]} if to else {}
    return {"name": name, "run": "true", **outputs, **more}


@pytest.fixture(scope="module")
def recording():
    from components.colony import Colony

    jobs = [
        job("first", "az://acct/results/runs/1"),
        job("second", "az://acct/results/runs/2", queue="research"),
        job("third"),
    ]
    args = colony_args(
        cloud="azure", region="eastus", pools=[SYSTEM], jobs=jobs, code=False,
        spec={"queues": [{"project": "research", "gpus": 0}]},
    )  # fmt: skip
    return record_program(lambda: Colony("demo", args))


@pytest.mark.parametrize(
    ("outputs", "blobs"),
    [
        (["az://acct/box/a/b/"], [("acct", "box", "a/b")]),
        (["az://acct/box", "s3://bucket/x"], [("acct", "box", "")]),
        (["az://b/x/1", "az://a/x/1", "az://a/x/1"], [("a", "x", "1"), ("b", "x", "1")]),
    ],
)
def test_blobs_are_named_by_account_container_and_path(outputs, blobs):
    assert blobs_of(outputs) == blobs


def test_a_condition_holds_every_action_of_the_role_to_the_named_blobs():
    text = condition([("acct", "box", "it's")])
    for action in aks()["outputs"]["actions"]:
        assert f"!(ActionMatches{{'{action}'}})" in text
    blob = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path"
    assert "@Resource[Microsoft.Storage/storageAccounts:name] StringEquals 'acct'" in text
    assert f"@Resource[{blob}] StringEquals 'it''s'" in text
    assert f"@Resource[{blob}] StringStartsWith 'it''s/'" in text
    assert text.count("(") == text.count(")")
    assert blob not in condition([("acct", "box", "")])


def test_what_is_only_copied_in_may_be_read_and_not_written():
    reading, *writing = aks()["outputs"]["actions"]
    text = condition([("acct", "results", "")], [("acct", "corpus", "v1")])
    may_write, may_read = text.split(") AND ((", 1)
    assert all(f"!(ActionMatches{{'{action}'}})" in may_write for action in writing)
    assert ("'corpus'" in may_write, "'results'" in may_write) == (False, True)
    assert f"!(ActionMatches{{'{reading}'}} AND NOT SubOperationMatches" in may_read
    assert ("'corpus'" in may_read, "'results'" in may_read) == (True, True)
    assert text.count("(") == text.count(")")
    nothing, _ = condition([], [("acct", "corpus", "")]).split(" AND ((", 1)
    assert "StringEquals" not in nothing


def test_the_role_has_data_actions_alone(recording):
    given = inputs(recording.one(DEFINED))
    (permission,) = given["permissions"]
    assert permission.get("actions", []) == []
    assert permission["dataActions"] == aks()["outputs"]["actions"]
    assert not [action for action in permission["dataActions"] if "delete" in action]
    assert given["roleName"].startswith("colony outputs of demo-main-")


def test_the_right_is_the_identitys_and_names_the_jobs_blobs(recording):
    given = inputs(recording.one(ASSIGNED, "outputs"))
    assert given["principalType"] == "ServicePrincipal"
    assert given["scope"] == "/subscriptions/sub"
    assert given["conditionVersion"] == "2.0"
    assert "'runs/1'" in given["condition"] and "'runs/2/'" in given["condition"]


def test_pods_of_each_namespace_are_trusted_one_after_the_other(recording):
    first, second = recording.of(TRUSTED)
    subjects = [inputs(each)["subject"] for each in (first, second)]
    assert subjects == [
        "system:serviceaccount:default:colony-outputs",
        "system:serviceaccount:research:colony-outputs",
    ]
    assert any(each.endswith(f"::{first.name}") for each in second.dependencies)
    for each in (first, second):
        assert inputs(each)["audiences"] == ["api://AzureADTokenExchange"]
        assert inputs(each)["issuer"] == "https://oidc.example/demo-main-aks"


def test_pods_with_outputs_run_as_that_account_and_say_so_and_others_do_not(recording):
    accounts = recording.of("kubernetes:core/v1:ServiceAccount")
    mine = [inputs(each)["metadata"] for each in accounts if "colony-outputs" in each.name]
    assert [each["annotations"] for each in mine] == [
        {"azure.workload.identity/client-id": "demo-main-outputs-client"}
    ] * 2
    for name, is_mine in (("first", True), ("second", True), ("third", False)):
        workload = inputs(recording.one("kubernetes:jobset.x-k8s.io/v1alpha2:JobSet", name))
        template = workload["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]
        label = template["metadata"]["labels"].get("azure.workload.identity/use")
        assert label == ("true" if is_mine else None)
        account = template["spec"].get("serviceAccountName")
        assert (account == "colony-outputs") == is_mine


def test_every_property_is_one_that_the_sdk_knows(recording):
    for request in recording.custom():
        if request.type.startswith("azure-native:"):
            given = _whole(json.loads(json.dumps(inputs(request))))
            assert schema.check(request.type, given) == [], request.name


def test_a_cluster_without_such_outputs_has_none_of_it():
    from components.colony import Colony

    args = colony_args(cloud="azure", region="eastus", pools=[SYSTEM], code=False,
                       jobs=[job("train", "s3://bucket/x")])  # fmt: skip
    recording = record_program(lambda: Colony("demo", args))
    assert recording.of(DEFINED) == recording.of(TRUSTED) == []
    assert len(recording.of(ASSIGNED)) == 1
