import json
import os
import signal
from pathlib import Path

import psutil
import pytest
import yaml

from colony.archive import pack
from colony.rehearsal.execute import ExecOutcome, Execution
from jobs.backends import render
from jobs.context import JobContext
from jobs.spec import Job, Output, Resources

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ddp"
CONTEXT = JobContext(
    colony="spring", cluster="main", cloud="aws", region="us-east-1", code_secret="code"
)


@pytest.fixture
def train(tmp_path):
    """Runs the task as it is in examples/, in local processes."""

    def call(nodes=2, gpus=8, on_line=None, **envs):
        task = yaml.safe_load((EXAMPLE / "task.yaml").read_text())
        job = Job(
            name=task["name"],
            nodes=nodes,
            resources=Resources(accelerators=f"H100:{gpus}"),
            envs={**task["envs"], **envs},
            run=task["run"],
            outputs=[Output(path="results", to="s3://demo/ddp")],
        )
        call.lines = []
        execution = Execution(
            render(job, CONTEXT), tmp_path / "sandbox", tmp_path / "logs",
            archive=pack(EXAMPLE).data, buckets=tmp_path / "buckets", grace=5, max_seconds=60,
            on_line=on_line or call.lines.append,
        )  # fmt: skip
        return execution.run()

    return call


@pytest.mark.parametrize(("nodes", "gpus"), [(2, 8), (3, 1), (1, 1)])
def test_many_ranks_reach_the_loss_of_one(train, tmp_path, nodes, gpus):
    assert train(nodes, gpus).outcome is ExecOutcome.SUCCEEDED
    result = json.loads((tmp_path / "buckets/s3/demo/ddp/result.json").read_text())
    assert result["ranks"] == nodes * gpus
    assert abs(result["loss"] - result["single_process_loss"]) < 1e-6
    assert result["loss"] < 0.3


def test_without_the_all_reduce_the_job_fails_and_says_why(train, tmp_path):
    result = train(nodes=2, gpus=2, BREAK_ALLREDUCE="1")
    assert (result.outcome, result.first_failed) == (ExecOutcome.FAILED, "worker-0")
    assert any("not data-parallel" in line for line in train.lines)
    assert not (tmp_path / "buckets").exists()


def test_the_death_of_one_rank_ends_the_job(train):
    lines = []

    def kill_one(line):
        lines.append(line)
        if "step  10" in line:
            os.kill(a_rank_of("worker-1"), signal.SIGKILL)

    result = train(nodes=2, gpus=2, on_line=kill_one, STEPS="100000")
    assert result.outcome is ExecOutcome.FAILED
    assert any("[worker-1]" in line and "ended with -9" in line for line in lines)


def a_rank_of(pod):
    for process in psutil.process_iter():
        try:
            if "train.py" in process.cmdline()[1:2] and pod in process.environ()["HOME"]:
                return process.pid
        except (psutil.Error, OSError):
            continue
    raise AssertionError(f"no process of {pod}")


def test_the_job_file_describes_the_same_training_as_the_task():
    task = yaml.safe_load((EXAMPLE / "task.yaml").read_text())
    job = yaml.safe_load((EXAMPLE / "job.yaml").read_text())
    same = ("name", "workdir", "resources", "envs", "run")
    assert {key: job[key] for key in same} == {key: task[key] for key in same}
    assert job["nodes"] == task["num_nodes"]
