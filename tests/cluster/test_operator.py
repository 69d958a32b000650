"""The manifests of `examples/gitops/operator` on a real API server with the operator's own
definitions; and what a signal makes there, with the rights that they give and not with less.

The operator itself does not run here: the Go module proxy does not serve its module. Its
definitions are those of `crds.py`.
"""

import base64
import copy
import json
import time
from pathlib import Path

import crds
import pytest
import yaml
from kubernetes.client import ApiException

from colony.agent.completion import Record
from colony.agent.signals import Signal, Undelivered, deliver
from colony.kubeapi import ApiRefused, KubeApi

FOLDER = Path(__file__).parents[2] / "examples/gitops/operator"
SPACE = "colony"
DEFINITION = "apiextensions.k8s.io/v1/CustomResourceDefinition"
KINDS = {("pulumi.com", "Stack"), ("auto.pulumi.com", "Workspace"), ("auto.pulumi.com", "Update")}
RECORD = Record("0123456789abcdef", "succeeded", 5.0, {"train": "succeeded"})
CLUSTER_WIDE = (
    "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding",
    "admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy",
)


def documents(*files):
    return [one for file in files for one in yaml.safe_load_all((FOLDER / file).read_text())]


def all_documents():
    return documents(*sorted(path.name for path in FOLDER.glob("*.yaml")))


def one(kind, *files):
    [found] = [each for each in documents(*files) if each["kind"] == kind]
    return found


@pytest.fixture(scope="module")
def definitions(cluster):
    """Those of the operator, and the namespace that the manifests name."""
    found = [each for group, kind in sorted(KINDS) for each in crds.definitions_of(group, kind)]
    cluster.apply(*found)
    wanted = {(f"{each['spec']['group']}/{version['name']}", each["spec"]["names"]["plural"])
              for each in found for version in each["spec"]["versions"]}  # fmt: skip
    cluster.wait(lambda: all(cluster.serves(*each) for each in wanted), 60, str(wanted))
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SPACE}})
    yield
    cluster.delete("v1/Namespace", SPACE)
    for each in found:
        cluster.delete(DEFINITION, each["metadata"]["name"])
    cluster.wait(lambda: not any(cluster.serves(*each) for each in wanted), 60, "they are gone")


@pytest.fixture(scope="module")
def api(plane):
    return KubeApi(plane.kubeconfig.read_text())


@pytest.fixture
def applied(definitions, api, cluster):
    """All manifests, really made; what is of the whole cluster goes at the end."""
    make(api, *all_documents())
    for asked in (
        {"group": "auto.pulumi.com", "resource": "updates", "verb": "create"},
        {"group": "pulumi.com", "resource": "stacks", "verb": "delete", "name": "nightly"},
    ):
        cluster.wait(lambda asked=asked: may(api, asked), message=f"rights: {asked}")
    yield
    for each in all_documents():
        kind = f"{each['apiVersion']}/{each['kind']}"
        if kind in CLUSTER_WIDE or each["kind"] in ("Stack", "Update", "CronJob"):
            if name := each["metadata"].get("name"):
                cluster.delete(kind, name, each["metadata"].get("namespace"))
    for each in cluster.list("auto.pulumi.com/v1alpha1/Update", SPACE):
        cluster.delete("auto.pulumi.com/v1alpha1/Update", each["metadata"]["name"], SPACE)


def make(api, *manifests):
    """With strict field validation; a `generateName` is created, the rest applied."""
    made = []
    for each in manifests:
        resource = api.resource(each["apiVersion"], each["kind"])
        assert resource, f"{each['apiVersion']} {each['kind']} is not served"
        named = copy.deepcopy(each)
        if prefix := named["metadata"].pop("generateName", ""):
            named["metadata"]["name"] = f"{prefix}{time.monotonic_ns()}"
        made.append(api.apply(resource, named, "colony-test", force=True))
    return made


def may(api, asked):
    """Whether the account of the signal has that right: rights are known a moment after they are
    given."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{SPACE}:colony-end",
            "resourceAttributes": {"namespace": SPACE, **asked},
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return api._ask("POST", path, body=review)["status"]["allowed"]


def lost(manifest, found):
    """Where what was asked for is not what is there."""
    if isinstance(manifest, dict) and isinstance(found, dict):
        return [f"{key}.{path}" for key, value in manifest.items()
                for path in lost(value, found.get(key))]  # fmt: skip
    return [] if isinstance(manifest, list) or manifest == found else [f"= {found!r}"]


@pytest.mark.usefixtures("definitions")
def test_the_api_server_takes_every_manifest_whole(api, applied):
    for each in all_documents():
        [found] = make(api, each)
        assert lost({k: v for k, v in each.items() if k != "metadata"}, found) == []
    kinds = {each["kind"] for each in all_documents()}
    assert {"Stack", "Update", "CronJob", "PersistentVolumeClaim", "Role"} <= kinds


WRONG = [
    ("Stack", "stack.yaml", lambda spec: spec.update(destroyOnFinalise=True), "destroyOnFinalise"),
    ("Stack", "stack.yaml", lambda spec: spec.update(destroyOnFinalize="yes"), "destroyOnFinalize"),
    ("Stack", "stack.yaml", lambda spec: spec.pop("stack"), "spec.stack"),
    ("Stack", "stack.yaml", lambda spec: spec.update(workspaceReclaimPolicy="Keep"), "Reclaim"),
    ("Stack", "stack.yaml", lambda spec: spec["workspaceTemplate"]["spec"].update(pods=1), "pods"),
    ("Update", "end.yaml", lambda spec: spec.update(kind="destroy"), "spec.kind"),
    ("Update", "end.yaml", lambda spec: spec.update(parallel="many"), "parallel"),
    ("CronJob", "reaper.yaml", lambda spec: spec.update(schedule="every minute"), "schedule"),
    ("CronJob", "reaper.yaml", lambda spec: spec.update(concurrency="Forbid"), "concurrency"),
]  # fmt: skip


@pytest.mark.usefixtures("definitions")
@pytest.mark.parametrize("kind, file, spoil, said", WRONG, ids=[each[3] for each in WRONG])
def test_one_that_is_wrong_is_refused_by_its_field(api, kind, file, spoil, said):
    manifest = one(kind, file)
    spoil(manifest["spec"])
    manifest["metadata"] = {"name": "wrong", "namespace": SPACE}
    with pytest.raises(ApiRefused, match=said):
        make(api, manifest)


@pytest.fixture
def ends(plane, applied, tmp_path):
    """A signal's Signal(kind), with the token of the account that is made for it."""

    def signal(kind, account="colony-end", name="nightly"):
        config = json.loads(plane.service_account(SPACE, account).read_text())
        where = config["clusters"][0]["cluster"]
        (tmp_path / "token").write_text(config["users"][0]["user"]["token"])
        (tmp_path / "ca").write_bytes(base64.b64decode(where["certificate-authority-data"]))
        return Signal("end", kind, tmp_path / "token", where["server"], namespace=SPACE,
                      object=name, ca=tmp_path / "ca")  # fmt: skip

    return signal


def test_the_signal_makes_the_update_that_the_manifest_is_and_once(cluster, ends):
    for _ in range(2):
        deliver(ends("update"), "nightly", RECORD, 10.0)
    found = cluster.list("auto.pulumi.com/v1alpha1/Update", SPACE)
    [made] = [each for each in found if each["metadata"]["name"] == "nightly-end-01234567"]
    assert made["spec"] == one("Update", "end.yaml")["spec"]


def test_the_signal_deletes_the_stack_whose_finalizer_destroys(cluster, ends):
    stack = "pulumi.com/v1/Stack"
    held = {"metadata": {"finalizers": ["finalizer.stack.pulumi.com"]}}
    cluster.patch(stack, "nightly", held, SPACE)
    deliver(ends("stack"), "nightly", RECORD, 10.0)
    found = cluster.get(stack, "nightly", SPACE)
    assert found["metadata"]["deletionTimestamp"] and found["spec"]["destroyOnFinalize"]
    deliver(ends("stack"), "nightly", RECORD, 10.0)  # told again while it goes, and after
    cluster.patch(stack, "nightly", {"metadata": {"finalizers": None}}, SPACE)
    cluster.assert_gone(stack, "nightly", SPACE)
    deliver(ends("stack"), "nightly", RECORD, 10.0)


@pytest.mark.parametrize("kind, resource", [("update", "updates"), ("stack", "stacks")])
def test_with_less_than_these_rights_it_is_not_taken(cluster, ends, kind, resource):
    role = one("Role", "signal.yaml")
    role["rules"] = [each for each in role["rules"] if each["resources"] != [resource]]
    assert len(role["rules"]) == 1
    cluster.apply(role)

    def refused():
        try:
            deliver(ends(kind), "nightly", RECORD, 10.0)
        except Undelivered as error:
            return str(error)
        return ""

    said = cluster.wait(refused, message="the API server to know of it")
    assert "403" in said and "forbidden" in said
    if kind == "update":
        return
    assert (
        "deletionTimestamp" not in cluster.get("pulumi.com/v1/Stack", "nightly", SPACE)["metadata"]
    )


@pytest.fixture
def client_of(plane):
    """The API as an account of the manifests sees it."""
    return lambda account: KubeApi(plane.service_account(SPACE, account).read_text())


def test_whoever_has_the_token_ends_this_colony_and_does_nothing_else(
    cluster, ends, client_of, api
):
    with pytest.raises(Undelivered, match="403"):
        deliver(ends("stack", name="another"), "another", RECORD, 10.0)
    update = api.resource("auto.pulumi.com/v1alpha1", "Update")
    theirs = client_of("colony-end")
    good = {**one("Update", "end.yaml"), "metadata": {"name": "mine", "namespace": SPACE}}
    path = update.path(SPACE)
    bad = [
        {"type": "up"}, {"stackName": "organization/colony/other"}, {"workspaceName": "other"},
        {"target": ["urn:pulumi:nightly::colony::x:y:Z::one"]}, {"remove": True},
    ]  # fmt: skip
    for change in bad:
        body = {**good, "spec": {**good["spec"], **change}}
        cluster.wait(lambda body=body: _refused(theirs, path, body), 60, f"a refusal of {change}")
    theirs._ask("POST", path, body=good)
    with pytest.raises(ApiRefused, match="forbidden"):
        theirs.listed(update, SPACE)
    make(api, {**good, "metadata": {"name": "ours", "namespace": SPACE}, "spec": {"type": "up"}})


def _refused(api, path, body):
    """By the policy, which counts a moment after it was made."""
    try:
        api._ask("POST", f"{path}?dryRun=All", body=body)
    except ApiRefused as refused:
        return "destroys the colony nightly" in str(refused)
    return False


def rules(api):
    """What an account may do in the namespace, as the API server says."""
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": SPACE}}  # fmt: skip
    found = api._ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body=body)
    return sorted(json.dumps(each, sort_keys=True) for each in found["status"]["resourceRules"])


def test_the_reaper_has_no_right_in_the_cluster_and_the_workspace_what_its_agent_asks(
    cluster, applied, client_of
):
    nobody = rules(client_of("default"))
    assert rules(client_of("colony-reaper")) == nobody
    assert rules(client_of("colony-end")) != nobody
    added = {r for text in set(rules(client_of("colony-workspace"))) - set(nobody)
             for r in json.loads(text)["resources"]}  # fmt: skip
    assert added == {"tokenreviews", "subjectaccessreviews"}


@pytest.fixture
def provided(cluster):
    """What a management cluster brings: storage, and the passphrase."""
    volume = {
        "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany"],
        "hostPath": {"path": "/nowhere"}, "claimRef": {"name": "colony-state", "namespace": SPACE},
        "persistentVolumeReclaimPolicy": "Retain",
    }  # fmt: skip
    secret = {"passphrase": base64.b64encode(b"one").decode()}
    cluster.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "colony-state"},
         "spec": volume},
        {"apiVersion": "v1", "kind": "Secret", "data": secret,
         "metadata": {"name": "colony-backend", "namespace": SPACE}},
    )  # fmt: skip
    yield
    cluster.delete("v1/PersistentVolume", "colony-state")


def test_the_cron_job_runs_to_its_end_as_its_account_and_not_as_root(cluster, applied, provided):
    template = cluster.get("batch/v1/CronJob", "colony-reaper", SPACE)["spec"]["jobTemplate"]
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": template["spec"],
           "metadata": {"name": "by-hand", "namespace": SPACE}}  # fmt: skip
    cluster.apply(job)
    cluster.condition("batch/v1/Job", "by-hand", "Complete", SPACE)
    [pod] = cluster.list("v1/Pod", SPACE, labels="batch.kubernetes.io/job-name=by-hand")
    assert pod["spec"]["serviceAccountName"] == "colony-reaper"
    assert [each["name"] for each in pod["spec"]["volumes"]] == ["state", "scratch"], "a token"
    cluster.delete("batch/v1/Job", "by-hand", SPACE)


def test_its_pods_pass_the_restricted_standard(cluster, applied):
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    strict = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    cluster.patch("v1/Namespace", SPACE, strict)
    template = one("CronJob", "reaper.yaml")["spec"]["jobTemplate"]["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": template["spec"],
           "metadata": {"name": "strict", "namespace": SPACE}}  # fmt: skip
    cluster.apply(pod)
    cluster.delete("v1/Pod", "strict", SPACE, grace=0)
    loose = copy.deepcopy(pod)
    del loose["spec"]["containers"][0]["securityContext"]["capabilities"]
    with pytest.raises(ApiException, match="PodSecurity"):
        cluster.apply({**loose, "metadata": {"name": "loose", "namespace": SPACE}})
