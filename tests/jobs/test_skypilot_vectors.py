"""What SkyPilot itself made of many texts, where its answers lie beside the checkout.

Every difference that is meant stands in docs/skypilot.md, in a table that is read here.
"""

import json
import os
import re
from pathlib import Path

import pytest
from sky_candidates import choice_of, recorded

from colony.reading import pages
from jobs.importers.sky.variables import managed_name
from jobs.importers.skypilot import import_task

ROOT = Path(__file__).parents[2]
SHARED = Path(os.environ.get("COLONY_SHARED", ROOT.parent / "shared"))
VECTORS = SHARED / "vectors" / "skypilot-parse.json"
CASES = json.loads(VECTORS.read_text(encoding="utf-8")) if VECTORS.is_file() else []
BY_MEMORY = re.compile(r"\d+[MGT]B", re.IGNORECASE)


def differences():
    """Case -> (what SkyPilot does, what we do), of the page's table."""
    table = (ROOT / "docs/skypilot.md").read_text(encoding="utf-8").split("## Differences")[1]
    rows = re.findall(r"^\| `(.+?)` \| (\w+) \| (\w+) \| .+ \|$", table, re.MULTILINE)
    return {case: (theirs, ours) for case, theirs, ours in rows}


def read(text):
    (page,) = pages(text)
    assert not page.problems
    return page.data


def verdict(kind, text):
    try:
        data = read(text)
    except AssertionError:
        return "refused"
    task = {"run": "true", **(data if kind == "task" else {"resources": data})}
    return "refused" if import_task(task, "task").problems else "accepted"


def meant(case):
    return case["yaml"].replace("\n", "; ") in differences()


same = pytest.mark.parametrize(
    "case", [case for case in CASES if not meant(case)], ids=lambda case: case["yaml"]
)
needs_vectors = pytest.mark.skipif(not CASES, reason="no vectors beside the checkout")


def accepted(kind):
    found = [case for case in CASES if case["kind"] == kind and case["ok"] and not meant(case)]
    return pytest.mark.parametrize("case", found, ids=lambda case: case["yaml"])


@needs_vectors
@same
def test_the_verdict_is_skypilots(case):
    assert verdict(case["kind"], case["yaml"]) == ("accepted" if case["ok"] else "refused")


@needs_vectors
@accepted("resources")
def test_candidates_and_preference_are_skypilots(case):
    choice, _ = choice_of(read(case["yaml"]))
    assert choice.preference.value == case["preference"]
    ours = [recorded(candidate) for candidate in choice.candidates]
    if BY_MEMORY.search(case["yaml"]) and "accelerators" in case["yaml"]:
        counts = {tuple(c["accelerators"].values()) for c in case["candidates"]}
        assert {tuple(c["accelerators"].values()) for c in ours} == counts
        return
    theirs = [
        {k: v.lower() if k == "cloud" else v for k, v in c.items()} for c in case["candidates"]
    ]
    assert in_order(ours, case) == in_order(theirs, case)


def in_order(candidates, case):
    return candidates if case["preference"] == "ordered" else sorted(candidates, key=str)


@needs_vectors
@accepted("task")
def test_the_fields_of_a_task_are_skypilots(case):
    data = read(case["yaml"])
    result = import_task(data, "task")
    job = result.job
    secrets = [warning for warning in result.warnings if warning.path.startswith("secrets")]
    assert (job.nodes, job.envs, job.run) == (case["num_nodes"], case["envs"], case["run"])
    assert 1 + len(job.alternatives) == case["n_resources"]
    assert sorted(job.secrets) == case["secret_names"]
    assert len(secrets) == len(case["managed_secrets"])
    listed = data.get("secrets") if isinstance(data.get("secrets"), list) else []
    assert [managed_name(item) for item in listed] == case["managed_secrets"]


@needs_vectors
def test_a_difference_that_is_recorded_is_one():
    for case in CASES:
        if meant(case):
            theirs, _ = differences()[case["yaml"].replace("\n", "; ")]
            assert theirs == ("accepted" if case["ok"] else "refused")


@pytest.mark.parametrize("case", differences())
def test_a_difference_of_the_page_is_true_of_us(case):
    theirs, ours = differences()[case]
    assert theirs != ours
    assert verdict("task", case.replace("; ", "\n")) == ours


def test_there_are_differences_on_the_page():
    assert len(differences()) > 5
