import pytest

from colony.lifecycle.kinds import WORKLOADS, explaining, of_job, rank_name, watched
from jobs.spec import Backend


def thing(kind, name, owner=None, uid=None, annotations=None, **labels):
    metadata = {"name": name, "uid": uid or f"uid-{name}", "labels": labels}
    metadata["annotations"] = annotations or {}
    if owner:
        metadata["ownerReferences"] = [{"uid": owner}]
    return {"kind": kind, "metadata": metadata}


def names(found):
    return sorted(each["metadata"]["name"] for each in found)


@pytest.mark.parametrize("backend", Backend)
def test_every_back_end_has_kinds_to_watch(backend):
    kinds = watched(backend.value)
    assert kinds[0] == WORKLOADS[backend.value]
    assert {"Pod", "Job.batch"} <= set(kinds)
    assert len(kinds) == len(set(kinds))
    assert "Workload.kueue.x-k8s.io" in explaining(backend.value, True)
    assert "Workload.kueue.x-k8s.io" not in explaining(backend.value, False)


def test_a_jobs_objects_are_found_by_name_label_and_owner():
    objects = [
        thing("Pod", "p0", owner="uid-j"),
        thing("Job", "j", owner="uid-set"),
        thing("JobSet", "set", owner="uid-train"),
        thing("TrainJob", "train"),
        thing("Pod", "labelled", **{"colony.dev/job": "train"}),
        thing("Pod", "of-jobset", **{"jobset.sigs.k8s.io/jobset-name": "train"}),
        thing("TrainJob", "train-2"),
        thing("Pod", "stranger", owner="uid-train-2"),
        thing("Pod", "train"),
    ]
    assert names(of_job(objects, "train")) == ["j", "labelled", "of-jobset", "p0", "set", "train"]


def test_what_is_told_of_a_jobs_objects_and_nodes_comes_along():
    pod = thing("Pod", "p", **{"colony.dev/job": "train"})
    pod["spec"] = {"nodeName": "gpu-0"}
    told = thing("Event", "e1")
    told["involvedObject"] = {"uid": "uid-p"}
    other = thing("Event", "e2")
    other["involvedObject"] = {"uid": "uid-q"}
    objects = [thing("Node", "gpu-0"), thing("Node", "gpu-1"), thing("Node", "train"), told, other]
    assert names(of_job([pod, *objects], "train")) == ["e1", "gpu-0", "p"]


def test_owners_that_go_in_circles_end():
    objects = [thing("Job", "a", owner="uid-b"), thing("Job", "b", owner="uid-a")]
    assert names(of_job(objects, "a")) == ["a", "b"]


def test_objects_without_uid_own_nothing():
    root, pod = thing("JobSet", "train"), thing("Pod", "p", owner="x")
    root["metadata"]["uid"] = pod["metadata"]["ownerReferences"][0]["uid"] = ""
    assert names(of_job([root, pod], "train")) == ["train"]


@pytest.mark.parametrize(
    ("pod", "name"),
    [
        (thing("Pod", "p", annotations={"batch.kubernetes.io/job-completion-index": "3"},
               **{"jobset.sigs.k8s.io/replicatedjob-name": "worker"}), "worker-3"),
        (thing("Pod", "p", **{"colony.dev/role": "ps", "volcano.sh/task-index": "1"}), "ps-1"),
        (thing("Pod", "p", **{"colony.dev/role": "launcher"}), "p"),
        (thing("Pod", "p"), "p"),
    ],
)  # fmt: skip
def test_a_rank_is_named_by_what_its_engine_wrote(pod, name):
    assert rank_name(pod) == name
