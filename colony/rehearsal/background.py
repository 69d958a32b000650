"""Runs one job's pods in a thread, so that the world's time can be watched meanwhile."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from colony.rehearsal.execute import ExecResult, Execution
from jobs.entrypoint import CODE_FILE
from jobs.spec import Job

__all__ = ["Background"]


class Background:
    """Starts at once.

    `manifests` are the job's objects, the workload last, `secrets` the Secrets of its namespace,
    both as the cluster has them: the code and the secret environment really came that way.
    `job` is whose policy decides. `append`: to the logs of an earlier start.
    """

    def __init__(
        self,
        manifests: Sequence[dict[str, Any]],
        secrets: Sequence[Mapping[str, Any]],
        folder: Path,
        logs: Path,
        buckets: Path,
        on_line: Callable[[str], None],
        job: Job | None = None,
        append: bool = False,
    ) -> None:
        named = _names(list(manifests))
        data = [_opened(each) for each in secrets if each["metadata"]["name"] in named]
        code = next((each[CODE_FILE] for each in data if CODE_FILE in each), None)
        env = {k: v.decode() for each in data if CODE_FILE not in each for k, v in each.items()}
        self._execution = Execution(
            manifests, folder, logs, archive=code, secrets=env, buckets=buckets, on_line=on_line,
            job=job, append=append,
        )  # fmt: skip
        self._result: ExecResult | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def result(self) -> ExecResult:
        """Waits for the end. Raises what the execution raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def stop(self, at_once: bool = False) -> None:
        """Cancels what still runs, and waits until its processes are gone."""
        self._execution.cancel()
        if at_once:
            self._execution.cancel()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._result = self._execution.run()
        except BaseException as error:
            self._error = error


def _names(value: Any) -> set[str]:
    """Every Secret that a manifest names, in volumes and in envFrom."""
    if isinstance(value, list):
        return set().union(*map(_names, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    here = {value["secretName"]} if isinstance(value.get("secretName"), str) else set()
    if isinstance(value.get("secretRef"), dict):
        here.add(value["secretRef"]["name"])
    return here.union(*map(_names, value.values())) if value else here


def _opened(secret: Mapping[str, Any]) -> dict[str, bytes]:
    data = {key: base64.b64decode(text) for key, text in (secret.get("data") or {}).items()}
    plain = {key: text.encode() for key, text in (secret.get("stringData") or {}).items()}
    return {**data, **plain}
