"""Every framework's example, really run: as a user does, and on every back end that has it."""

import importlib.util
import re
from pathlib import Path

import pytest
from colony_command import colony

from colony.archive import pack
from colony.documents import load_colony
from colony.rehearsal.execute import ExecOutcome, Execution
from jobs.backends import render
from jobs.context import JobContext
from jobs.pairs import ELASTIC_BACKENDS, published
from jobs.spec import Backend, Framework

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "frameworks"
FILES = {framework.value: EXAMPLES / f"{framework.value}.yaml" for framework in Framework}
FILES["horovod elastic"] = EXAMPLES / "horovod-elastic.yaml"
CONTEXT = JobContext(
    colony="spring", cluster="main", cloud="aws", region="us-east-1", code_secret="code",
    namespace="team",
)  # fmt: skip
RANK = re.compile(r"rank (\d+) of (\d+) sees \[([\d, ]+)\] \(([^)]*)\), the sum is (\d+)")
ROLES = {
    "pytorch": ["worker"] * 8,
    "tensorflow": ["chief", "worker", "worker"],
    "mpi": ["worker-0", "worker-0", "worker-1", "worker-1"],
    "horovod": ["worker-0", "worker-1"],
    "horovod elastic": ["worker-0", "worker-1"],
    "bagua": ["master", "worker"],
    "dask": ["leadworker", "worker", "launcher"],
    "ray": ["head", "worker", "worker"],
    "deepspeed": ["worker-0"] * 4 + ["worker-1"] * 4,
    "custom": ["reader", "trainer", "trainer"],
    "standalone": ["pod", "pod"],
}
ONE_SPEAKS = {"dask", "ray"}
"""There only the script of one role looks at the others."""


def check_ranks(name, text):
    """Ranks 0 to n-1 spoke, each saw all of them in their roles, and all agree on the sum."""
    said = [match.groups() for match in RANK.finditer(text)]
    size = len(ROLES[name])
    worlds = 3 if name == "standalone" else 1
    speakers = sorted(int(rank) for rank, *_ in said)
    expected = sorted([*range(size)] * worlds)
    assert speakers == expected or (name in ONE_SPEAKS and len(speakers) == 1), text
    for _, of, seen, roles, total in said:
        assert int(of) == size
        assert seen == ", ".join(str(rank) for rank in range(size))
        assert re.sub(r"pod \d", "pod", roles).split() == ROLES[name]
        assert int(total) == size * (size + 1) // 2


@pytest.mark.engine
@pytest.mark.parametrize("name", FILES)
def test_the_example_really_runs_in_a_rehearsal(name, cli):
    done = colony("rehearse", "--exec", FILES[name])
    assert done.code == 0, done.out + done.err
    check_ranks(name, done.out + done.err)


def example(name):
    (job,) = load_colony([FILES[name]]).spec.jobs
    return job


OTHERS = [
    pytest.param(framework.value, backend)
    for framework, backend in published()
    if backend is not Backend.JOBSET
]


@pytest.mark.allow_hosts(["127.0.0.0/8"])
@pytest.mark.parametrize(
    ("name", "backend"), OTHERS, ids=lambda value: getattr(value, "value", value)
)
def test_the_example_runs_on_every_back_end_that_has_its_framework(name, backend, tmp_path):
    job = example(name).model_copy(update={"backend": backend})
    check_ranks(name, run(job, tmp_path))


@pytest.mark.parametrize("backend", ELASTIC_BACKENDS, ids=lambda backend: backend.value)
def test_an_elastic_job_starts_with_the_hosts_that_its_discovery_script_prints(backend, tmp_path):
    job = example("horovod elastic").model_copy(update={"backend": backend})
    check_ranks("horovod elastic", run(job, tmp_path))


def run(job, tmp_path):
    lines = []
    execution = Execution(
        render(job, CONTEXT), tmp_path / "sandbox", tmp_path / "logs", job=job, max_seconds=25,
        archive=pack(EXAMPLES).data, on_line=lines.append, grace=2,
    )  # fmt: skip
    assert execution.run().outcome is ExecOutcome.SUCCEEDED, "\n".join(lines)
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("size", "ranks", "total", "code"),
    [
        (2, [0, 1], 3, 0),
        (2, [0, 0], 3, 1),
        (3, [0, 1], 6, 1),
        (2, [0, 1, 2], 3, 1),
        (2, [0, 1], 2, 1),
    ],
)
def test_a_world_that_is_not_whole_fails_the_example(size, ranks, total, code):
    said = [{"rank": rank, "role": "worker"} for rank in ranks]
    assert together().check(0, size, said, total) == code


def together():
    spec = importlib.util.spec_from_file_location("together", EXAMPLES / "together.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
