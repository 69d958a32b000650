"""A real Prometheus on loopback over samples that were written down."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from testbed import build

__all__ = ["Prometheus", "openmetrics", "promtool"]

STEP = 60
"""Seconds between two samples."""
READY = 60.0
DEADLINE = 120


def promtool(
    *arguments: str | Path, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Ended, whichever way."""
    program = build.programs("prometheus")["prometheus"] / "promtool"
    argv = [str(program), *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE, cwd=folder)


def openmetrics(series: dict[str, str], start: int) -> str:
    """Samples in promtool's notation, a minute apart, as the text that can be loaded."""
    families: dict[str, list[str]] = {}
    for name, notation in series.items():
        family = families.setdefault(name.partition("{")[0], [])
        for number, value in enumerate(_values(notation)):
            family.append(f"{name} {value!r} {start + number * STEP}")
    lines = [line for family in families.values() for line in family]
    return "\n".join([*lines, "# EOF"]) + "\n"


class Prometheus:
    """Data of a folder, asked at fixed times."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._folder = folder
        self._url = ""
        (folder / "prometheus.yml").write_text("global: {}\n")

    def load(self, text: str) -> None:
        """Before it runs."""
        file = self._folder / "samples.om"
        file.write_text(text)
        done = promtool("tsdb", "create-blocks-from", "openmetrics", file, self.data)
        assert done.returncode == 0, done.stderr

    def compute(self, rules: Path, start: int, end: int) -> None:
        """What recording rules would have recorded then. Once for each rule that needs another."""
        computed = self._folder / "computed"
        with self.running():
            done = promtool(
                "tsdb", "create-blocks-from", "rules", f"--url={self._url}", f"--start={start}",
                f"--end={end}", f"--eval-interval={STEP}s", f"--output-dir={computed}", rules,
            )  # fmt: skip
        assert done.returncode == 0, done.stderr
        for block in computed.iterdir():
            if not (self.data / block.name).exists():
                shutil.move(block, self.data / block.name)
        shutil.rmtree(computed)

    @contextmanager
    def running(self) -> Iterator[Prometheus]:
        program = build.programs("prometheus")["prometheus"] / "prometheus"
        argv = [str(program), "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
        argv += ["--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0"]
        with (self._folder / "prometheus.log").open("wb") as log:
            process = subprocess.Popen(argv, cwd=self._folder, stderr=log, stdout=log)
        try:
            self._url = self._address(process)
            yield self
        finally:
            process.terminate()
            process.wait(30)

    def query(self, expression: str, at: int) -> list[dict[str, Any]]:
        """The series of an instant query. ValueError: Prometheus' own words."""
        where = urllib.parse.urlencode({"query": expression, "time": at})
        try:
            with urllib.request.urlopen(f"{self._url}/api/v1/query?{where}", timeout=30) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(json.load(error)["error"]) from None
        return list(data["result"])

    def _address(self, process: subprocess.Popen[bytes]) -> str:
        """The port that it took, once it is ready."""
        deadline = time.monotonic() + READY
        while time.monotonic() < deadline and process.poll() is None:
            text = (self._folder / "prometheus.log").read_text()
            found = re.search(r"Listening on.* address=(127\.0\.0\.1:\d+)", text)
            if found and "Server is ready" in text:
                return f"http://{found[1]}"
            time.sleep(0.05)
        raise AssertionError((self._folder / "prometheus.log").read_text()[-2000:])


def _values(notation: str) -> Iterator[float]:
    """`5x3` = four times 5, `0+2x3` = 0 2 4 6, as promtool reads them."""
    for part in notation.split():
        match = re.fullmatch(r"([\d.]+)(?:\+([\d.]+))?x(\d+)", part)
        assert match, notation
        first, step, count = float(match[1]), float(match[2] or 0), int(match[3])
        yield from (first + step * number for number in range(count + 1))
