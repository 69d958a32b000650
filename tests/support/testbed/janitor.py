"""Undoes what a real node changes on the machine, when it is told to or its node's process dies.

    python janitor.py FOLDER BRIDGE      then: end of its standard input

Containers outlive their runtime, and bridges, mounts, cgroups and nftables every process.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

SYSCTLS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")
"""What a kubelet and the bridge plugin set for the whole machine."""
CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc/sys")


def main(folder: Path, bridge: str) -> None:
    before = {name: (PROC / name).read_text() for name in SYSCTLS}
    print("ready", flush=True)
    sys.stdin.read()
    _kill_containers(folder)
    _unmount(folder)
    for link in _links(bridge):
        run("ip", "link", "del", link)
    for family in ("ip", "ip6"):
        run("nft", "delete", "table", family, "kube-proxy")
    for name, value in before.items():
        with suppress(OSError):
            (PROC / name).write_text(value)
    _remove_cgroups(bridge)
    _remove_traces(folder)
    shutil.rmtree(folder, ignore_errors=True)


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    """Whatever it answers."""
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


def cgroups(name: str) -> list[Path]:
    """One a controller (version 1), or the one of the unified tree (version 2)."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS / name]
    return [
        folder / name
        for folder in CGROUPS.iterdir()
        if folder.is_dir() and not folder.is_symlink() and (folder / "cgroup.procs").exists()
    ]


def _kill_containers(folder: Path) -> None:
    """A shim has its runtime's socket among its arguments; what it runs goes with it."""
    socket = str(folder / "c.sock")
    for process in psutil.process_iter(["cmdline"]):
        if socket in (process.info["cmdline"] or []):
            for each in (*_descendants(process), process):
                with suppress(psutil.NoSuchProcess):
                    each.kill()
                    each.wait(10)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _unmount(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for mount in sorted((each for each in mounts if each.startswith(f"{folder}/")), reverse=True):
        run("umount", "-l", mount)


def _links(bridge: str) -> Iterator[str]:
    ports = Path("/sys/class/net", bridge, "brif")
    if ports.is_dir():
        yield from sorted(port.name for port in ports.iterdir())
    yield bridge


def _remove_cgroups(name: str) -> None:
    for top in cgroups(name):
        inner = [path for path in top.rglob("*") if path.is_dir()]
        for folder in sorted([top, *inner], key=lambda path: -len(path.parts)):
            with suppress(OSError):
                folder.rmdir()


def _remove_traces(folder: Path) -> None:
    """What kubelet and the plugins leave in folders that they give no choice of."""
    for link in Path("/var/log/containers").glob("*.log"):
        if os.readlink(link).startswith(f"{folder}/"):
            link.unlink()
    for result in Path("/var/lib/cni/results").glob("colony-*"):
        if str(folder) in result.read_text(errors="replace"):
            result.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
