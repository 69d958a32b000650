"""The agent as a process of this machine, with the token of its service account."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from colony.agent.client import Client
from components.agent_bundle import build_zipapp


class AgentProcess:
    """Looks after jobs of one namespace; `kill` is a kill -9, `start` begins again."""

    def __init__(
        self, kubeconfig: Path, folder: Path, namespace: str, *jobs: str, **beside: Any
    ) -> None:
        """`kubeconfig`: of the service account, by token. `beside`: more of the agent's config."""
        content = json.loads(kubeconfig.read_text())
        cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
        self.log = folder / "agent.log"
        self._folder, self._server = folder, cluster["server"]
        wanted: dict[str, Any] = {"jobs": [{"namespace": namespace, "name": name} for name in jobs]}
        wanted |= beside
        (folder / "agent.pyz").write_bytes(build_zipapp())
        (folder / "jobs.json").write_text(json.dumps(wanted))
        (folder / "token").write_text(user["token"])
        (folder / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self._argv = [sys.executable, "-I", str(folder / "agent.pyz"), "--interval", "0.2"]
        self._argv += ["--config", str(folder / "jobs.json"), "--server", cluster["server"]]
        self._argv += ["--ca", str(folder / "ca.crt"), "--token-file", str(folder / "token")]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)

    def kill(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(10)
        self._process = None

    def client(self) -> Client:
        """With what it may do; to be closed."""
        return Client(self._server, self._folder / "ca.crt", self._folder / "token")
