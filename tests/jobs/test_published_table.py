from pathlib import Path

import pytest

from jobs.data import load
from jobs.pairs import ELASTIC_BACKENDS
from jobs.spec import Backend, Framework

DOCS = Path(__file__).parents[2] / "docs" / "jobs.md"


def table():
    rows = [line.strip("| ").split("|") for line in DOCS.read_text().splitlines() if "|" in line]
    cells = [[cell.strip() for cell in row] for row in rows]
    start = next(number for number, row in enumerate(cells) if row[:1] == ["pytorch"] and
                 row[-1] == "standalone")  # fmt: skip
    header = cells[start]
    return {
        row[0]: dict(zip(header, (row[1:] + [""] * 10)[:10], strict=True))
        for row in cells[start + 2 : start + 2 + len(Backend)]
    }


@pytest.mark.parametrize("backend", Backend)
def test_the_table_of_the_documentation_is_the_one_that_holds(backend):
    shown = table()[backend.value]
    elastic = {"pytorch", "horovod", "bagua"} if backend in ELASTIC_BACKENDS else set()
    for framework in Framework:
        good = load("pairs.yaml")[backend.value][framework.value] is True
        expected = ("+ e" if framework.value in elastic else "+") if good else ""
        assert shown[framework.value] == expected, (backend, framework)
