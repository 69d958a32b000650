"""One pod of a job as a process: the entry point under real bash, with what a manifest gives it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from jobs.context import JobContext
from jobs.entrypoint import entrypoint_env, scripts
from jobs.environment import shared
from jobs.frameworks import complete
from jobs.roles import member
from jobs.spec import Job

CONTEXT = JobContext(colony="spring", cluster="main", cloud="aws", region="us-east-1")


class Pod:
    """`tool` puts a program on its PATH; `run` gives the exit code, `output` what it said."""

    def __init__(
        self, folder: Path, job: Job, role: str = "worker", index: int = 0, **extra: str
    ) -> None:
        self.folder, self.tools = folder, folder / "tools"
        self.log = folder / "termination-log"
        self.output = ""
        for path in (folder / "cwd", folder / "scripts", self.tools):
            path.mkdir(parents=True)
        for name, text in scripts(job).items():
            (folder / "scripts" / name).write_text(text)
        self.env = {
            **shared(job, role, CONTEXT),
            **entrypoint_env(complete(job), member(job, role), code=False),
            "PATH": f"{self.tools}:{os.environ['PATH']}",
            "COLONY_POD_INDEX": str(index),
            "COLONY_HOME": str(folder / "home"),
            "COLONY_SCRIPTS": str(folder / "scripts"),
            "COLONY_CHECKPOINT_DIR": str(folder / "checkpoints"),
            "COLONY_TERMINATION_LOG": str(self.log),
            "COLONY_RESOLVE_SECONDS": "0",
            "COLONY_POD_ADDRESS": "127.0.0.1",
            "COLONY_FILE_ROOT": str(folder / "files"),
            "COLONY_FILE_PREFIX": str(folder / "root"),
            **extra,
        }

    def tool(self, name: str, text: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(0o755)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", str(self.folder / "scripts" / "entrypoint.sh"), *arguments],
            cwd=self.folder / "cwd", env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *arguments: str) -> int:
        process = self.start(*arguments)
        self.output, _ = process.communicate(timeout=30)
        return process.returncode

    def given(self) -> dict[str, str]:
        """What `env -0` printed."""
        return dict(entry.split("=", 1) for entry in self.output.rstrip("\0").split("\0"))
