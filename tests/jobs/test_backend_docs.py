"""The published tables are the data."""

import os
from pathlib import Path

import pytest

from jobs.data import load
from jobs.pairs import supported
from jobs.spec import Backend, Framework

PAGE = Path(__file__).parents[2] / "docs" / "backends.md"
WRITE = os.environ.get("COLONY_GOLDEN") == "write"
SAID = {
    "part_gang": "`policy.gang` smaller than the job",
    "suspend": "`suspend`",
    "queue": "`queue` with several roles",
    "again": "`policy.backoff_limit` with several pods",
}
ALL_RESTARTS = ("Never", "OnFailure", "ExitCode", "Always")


def row(*cells):
    return f"| {' | '.join(cells)} |"


def pairs():
    lines = [row("", *(b.value for b in Backend)), row(*["---"] * (len(Backend) + 1))]
    for framework in Framework:
        marks = ["yes" if supported(framework, backend) else "no" for backend in Backend]
        lines.append(row(framework.value, *marks))
    return lines


def limits():
    lines = [row("back end", "refused", "because"), row("---", "---", "---")]
    for backend, known in load("limits.yaml").items():
        lines += [row(backend, SAID[key], known[key]) for key in SAID if key in known]
        lacking = [f"`{each}`" for each in ALL_RESTARTS if each not in known["restart"]]
        if lacking:
            lines.append(row(backend, f"`restart` {', '.join(lacking)}", "its pods do not know it"))
        if "Succeeded" not in known["phases"]:
            lines.append(row(backend, "waiting until a role has succeeded", "it sees ports only"))
        for later, first in known.get("order", {}).items():
            name = "any role" if later == "*" else later
            lines.append(
                row(backend, f"an order other than {name} after {first}", "it has its own")
            )
    return lines


@pytest.mark.parametrize(("mark", "made"), [("pairs", pairs), ("limits", limits)])
def test_the_tables_of_the_page_are_made_of_the_data(mark, made):
    """COLONY_GOLDEN=write pytest ... writes them anew."""
    start, end = f"<!-- {mark} -->\n", "<!-- end -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(start)
    found, _, after = rest.partition(end)
    lines = "\n".join(made())
    if WRITE:
        PAGE.write_text(f"{before}{start}{lines}\n{end}{after}", encoding="utf-8")
        found = f"{lines}\n"
    assert found == f"{lines}\n"
