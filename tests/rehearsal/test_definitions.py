"""The helper that holds manifests against their definitions (tests/support/crds.py)."""

import copy

import crds
import pytest

JOBSET = {
    "apiVersion": "jobset.x-k8s.io/v1alpha2",
    "kind": "JobSet",
    "metadata": {"name": "train", "labels": {"a": "b"}},
    "spec": {
        "failurePolicy": {"maxRestarts": 0},
        "replicatedJobs": [
            {
                "name": "worker",
                "replicas": 1,
                "template": {
                    "spec": {
                        "parallelism": 2,
                        "template": {
                            "metadata": {"labels": {"a": "b"}},
                            "spec": {
                                "containers": [
                                    {
                                        "name": "c",
                                        "image": "x",
                                        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
                                    }
                                ]
                            },
                        },
                    }
                },
            }
        ],
    },
}
POD = "spec.replicatedJobs.0.template.spec.template.spec"
AT = "spec.replicatedJobs[0].template.spec.template.spec"


def changed(path, value):
    whole = copy.deepcopy(JOBSET)
    *steps, last = path.split(".")
    place = whole
    for step in steps:
        place = place[int(step)] if step.isdigit() else place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return whole


def test_a_manifest_that_its_definition_takes_has_no_problems():
    assert crds.problems(JOBSET) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (f"{POD}.hostNetwrk", True, f"{AT}.hostNetwrk: unknown field"),
        ("metadata.lables", {}, "metadata.lables: unknown field"),
        ("metadata.labels", {"a": 1}, "metadata.labels.a: 1 is not of type 'string'"),
        ("status", {"restarts": "0"}, "status.restarts: '0' is not of type 'integer'"),
        ("spec.replicatedJobs.0.replicas", "1",
         "spec.replicatedJobs[0].replicas: '1' is not of type 'integer'"),
        (f"{POD}.containers", None, f"{AT}: 'containers' is a required property"),
        (f"{POD}.containers.0.resources.limits", {"cpu": "many"},
         f"{AT}.containers[0].resources.limits.cpu: 'many' does not match"),
        ("spec.replicatedJobs", [*JOBSET["spec"]["replicatedJobs"] * 2],
         "spec.replicatedJobs: duplicate name 'worker'"),
        ("spec.successPolicy", {"operator": "Some"}, "spec.successPolicy.operator: 'Some' is not"),
    ],
)  # fmt: skip
def test_what_the_api_server_would_refuse_is_named_by_its_path(path, value, said):
    found = crds.problems(changed(path, value))
    assert any(line.startswith(said) for line in found), found


def test_a_kind_or_version_without_definition_is_no_silent_pass():
    crds.folder()
    with pytest.raises(LookupError, match="no definition of Job in batch"):
        crds.problems({"apiVersion": "batch/v1", "kind": "Job"})
    with pytest.raises(LookupError, match="no served version v1 of JobSet"):
        crds.problems({"apiVersion": "jobset.x-k8s.io/v1", "kind": "JobSet"})


@pytest.mark.parametrize(
    ("schema", "value", "fine"),
    [
        ({"x-kubernetes-int-or-string": True}, "50%", True),
        ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}]}, 1.5, False),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, {"any": 1}, True),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"any": 1}, True),
        ({"type": "object"}, {"any": 1}, False),
        ({"type": "object", "properties": {"a": {"type": "string", "nullable": True}}},
         {"a": None}, True),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {"a": None}, False),
        ({"type": "object", "properties": {"a": {"type": "object", "nullable": True}}},
         {"a": {"b": 1}}, False),
        ({"type": "object", "properties": {"a": {}}, "anyOf": [{"required": ["a"]}]},
         {"a": 1}, True),
        ({"type": "object", "x-kubernetes-embedded-resource": True},
         {"kind": "Pod", "metadata": {"name": "a"}}, True),
        ({"type": "integer", "minimum": 0, "exclusiveMinimum": True}, 0, False),
        ({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
         ["a", "a"], False),
    ],
)  # fmt: skip
def test_a_structural_schema_says_what_is_pruned(schema, value, fine):
    assert crds._Validator(crds.strict(schema)).is_valid(value) is fine
