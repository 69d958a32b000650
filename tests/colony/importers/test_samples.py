"""The samples of other systems, where they lie beside the checkout: the verdict on each."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from colony.documents import load_colony, validation_report
from jobs.errors import InputError, NotSupported

SHARED = Path(os.environ.get("COLONY_SHARED", Path(__file__).parents[3].parent / "shared"))
SAMPLES = SHARED / "samples"

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no samples beside the checkout")

IMAGE = "template.spec.containers[0].image"
VERDICTS: dict[str, list[tuple[str, str]]] = {
    "ares-pytorch": [
        (f"spec.roleSpecs.master.{IMAGE}", "placeholder"),
        (f"spec.roleSpecs.worker.{IMAGE}", "placeholder"),
    ],
    "exalsius-colony-docker-ray": [
        ("spec.colonyClusters[0].docker", "containers on one machine"),
        ("spec.additionalDependencies[0].spec.version", "newest"),
    ],
    "exalsius-ddpjob-gpus": [("spec.image", "placeholder")],
    "konduktor-readme": [],
    "kubeflow-pytorchjob-mnist-gloo": [
        (f"spec.pytorchReplicaSpecs.Master.{IMAGE}", "placeholder"),
        (f"spec.pytorchReplicaSpecs.Worker.{IMAGE}", "placeholder"),
    ],
    "mpijob-tensorflow-mnist": [],
    "skypilot-jobgroup": [],
    "skypilot-managed_spot": [],
    "skypilot-multi_accelerators": [],
    "skypilot-torch_ddp_benchmark": [],
    "skypilot-train": [],
}
NOT_HONOURED = {
    "skypilot-jobgroup": "a SkyPilot job group: not built yet",
    "skypilot-torch_ddp_benchmark": "file_mounts../torch_ddp_benchmark.py: not honoured",
}
"""Valid, and refused by plan and run."""


def test_every_sample_has_a_verdict():
    assert {path.stem for path in SAMPLES.glob("*.yaml")} == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
def test_a_sample_has_the_verdict_that_is_expected(name):
    (report,) = validation_report([SAMPLES / f"{name}.yaml"])
    (document,) = report["documents"]
    found = [(error["path"], error["message"]) for error in document["errors"]]
    assert document["ok"] is (not VERDICTS[name])
    for path, says in VERDICTS[name]:
        assert any(where == path and says in message for where, message in found)
    ours = {path for path, _ in VERDICTS[name]}
    assert all(path in ours or "which model" in message for path, message in found)


@pytest.mark.parametrize(
    "name", [name for name, errors in VERDICTS.items() if not errors and name not in NOT_HONOURED]
)
def test_a_good_sample_is_a_colony(name):
    loaded = load_colony([SAMPLES / f"{name}.yaml"])
    assert len(loaded.spec.jobs) == 1


@pytest.mark.parametrize("name", [name for name, errors in VERDICTS.items() if errors])
def test_a_bad_sample_is_refused(name):
    with pytest.raises(InputError):
        load_colony([SAMPLES / f"{name}.yaml"])


@pytest.mark.parametrize("name", NOT_HONOURED)
def test_a_sample_that_would_lose_something_is_valid_and_not_run(name):
    with pytest.raises(NotSupported) as caught:
        load_colony([SAMPLES / f"{name}.yaml"])
    assert NOT_HONOURED[name] in str(caught.value)
