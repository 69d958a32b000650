"""The process of a world: `python -m colony.rehearsal.server DIR [--detach]`.

One port a package serves Pulumi's provider protocol, one more the control. A lock on the folder
makes it the only one; it ends by itself when nobody has called for a while.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from colony.garbage import collect_less

if TYPE_CHECKING:
    import grpc

    from colony.rehearsal.calls import Call
    from colony.rehearsal.simulation import Simulation

__all__ = ["main", "serve"]

WORKERS = 72
MESSAGE = 400 * 1024 * 1024


def main(arguments: list[str]) -> int:
    """Serves until stopped or idle. With --detach the caller returns once we are on our own."""
    collect_less()
    folder = Path(arguments[0])
    if "--detach" in arguments:
        _detach(folder / "logs" / "server.log")
    lock = _lock(folder)
    if lock is None:
        return 0
    with lock:
        serve(folder)
    return 0


def serve(folder: Path) -> None:
    """Opens the world of a folder and serves it."""
    from colony.rehearsal.known import save

    settings = json.loads((folder / "world.json").read_text())
    clock = _Idle(float(settings.get("idle_seconds", 120)))
    simulation = _simulation(folder, settings)
    servers, ports = _listen(simulation, clock, _earlier_ports(folder))
    _announce(folder, ports)
    clock.wait()
    for server in servers:
        server.stop(grace=0.2)
    save(simulation.packages)
    (folder / "server.json").unlink(missing_ok=True)


class _Idle:
    """Waits until somebody says stop, or nobody has said anything for a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._last = seconds, time.monotonic()
        self._over = threading.Event()

    def touch(self) -> None:
        self._last = time.monotonic()

    def stop(self) -> None:
        self._over.set()

    def wait(self) -> None:
        while not self._over.wait(timeout=min(self._seconds, 5.0)):
            if time.monotonic() - self._last > self._seconds:
                return
        time.sleep(0.05)  # the reply to `stop` is on its way


def _simulation(folder: Path, settings: dict[str, Any]) -> Simulation:
    from colony.rehearsal.captures import Captures
    from colony.rehearsal.faults import parse_faults
    from colony.rehearsal.package import load_packages
    from colony.rehearsal.prices import use_catalog
    from colony.rehearsal.simulation import Simulation
    from colony.rehearsal.state import Store

    if settings.get("catalog"):
        use_catalog(Path(settings["catalog"]))
    factor = settings.get("real_time")
    return Simulation(
        Store(folder),
        load_packages(),
        settings["seed"],
        (folder / "passphrase").read_bytes(),
        parse_faults(json.loads((folder / "faults.json").read_text())),
        pause=(lambda seconds: time.sleep(seconds * factor)) if factor else (lambda seconds: None),
        kill=lambda: _kill_run(folder),
        hosts=_on_hosts if settings.get("hosts") else None,
        capture=Captures(folder).take if settings.get("captures") else _no_capture,
        **_clusters(folder, settings),
    )


def _no_capture(op: str, urn: str, when: str) -> bool:
    """No states are kept, and nobody dies of it."""
    return False


def _on_hosts(call: Call) -> str:
    from colony.rehearsal.realhosts import run

    return run(call)


def _clusters(folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Where a real API server stands behind the clusters, their objects are there."""
    from colony.rehearsal.realcluster import RealCluster

    real = RealCluster.stored(settings.get("kubernetes"))
    if real is None:
        return {}
    from colony.kubeapi import KubeApi
    from colony.rehearsal.realserver import RealServer

    api = KubeApi(real.kubeconfig())
    if real.helm:
        from colony.rehearsal.helm import Helm
        from colony.rehearsal.realreleases import HelmServer

        helm = Helm(Path(real.helm), Path(real.path), real.context, folder / "home")
        return {
            "clusters": lambda cloud, package, lock: HelmServer(
                cloud, package, api, real.mark, lock, helm
            )
        }
    return {
        "clusters": lambda cloud, package, lock: RealServer(cloud, package, api, real.mark, lock)
    }


def _listen(
    simulation: Simulation, clock: _Idle, wanted: dict[str, int]
) -> tuple[list[grpc.Server], dict[str, int]]:
    import grpc
    from pulumi.runtime.proto.provider_pb2_grpc import add_ResourceProviderServicer_to_server

    from colony.rehearsal.control import Control, decode, encode
    from colony.rehearsal.link import METHOD
    from colony.rehearsal.provider import Provider

    class Touch(grpc.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
        def intercept_service(self, continuation: Any, details: Any) -> Any:
            clock.touch()
            return continuation(details)

    def start(name: str, add: Any) -> None:
        options = [
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", MESSAGE),
            ("grpc.max_send_message_length", MESSAGE),
        ]
        pool = ThreadPoolExecutor(WORKERS, thread_name_prefix=name)
        server = grpc.server(pool, interceptors=[Touch()], options=options)
        add(server)
        ports[name] = _bind(server, wanted.get(name, 0))
        server.start()
        servers.append(server)

    servers: list[grpc.Server] = []
    ports: dict[str, int] = {}
    for name, package in simulation.packages.items():
        provider = Provider(package, simulation)
        start(name, lambda s, p=provider: add_ResourceProviderServicer_to_server(p, s))
    control = Control(simulation, clock.stop)
    handler = grpc.unary_unary_rpc_method_handler(
        lambda request, context: control.answer(request), decode, encode
    )
    _, service, method = METHOD.split("/")
    generic = grpc.method_handlers_generic_handler(service, {method: handler})
    start("", lambda server: server.add_generic_rpc_handlers((generic,)))
    return servers, ports


def _bind(server: grpc.Server, wanted: int) -> int:
    """The port of the last time where it is free: a CLI's environment may still name it."""
    for port in [wanted, 0] if wanted else [0]:
        try:
            if bound := server.add_insecure_port(f"127.0.0.1:{port}"):
                return int(bound)
        except RuntimeError:
            continue
    raise RuntimeError("no loopback port is free")


def _earlier_ports(folder: Path) -> dict[str, int]:
    try:
        return dict(json.loads((folder / "ports.json").read_text()))
    except (OSError, ValueError):
        return {}


def _announce(folder: Path, ports: dict[str, int]) -> None:
    _write(folder / "ports.json", ports)
    control = ports.pop("")
    _write(folder / "server.json", {"pid": os.getpid(), "ports": ports, "control": control})


def _write(path: Path, value: Any) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(value))
    temporary.replace(path)


def _kill_run(folder: Path) -> None:
    """SIGKILL to the run that `run.json` names and to all that it started, except this server."""
    import psutil

    try:
        root = psutil.Process(int(json.loads((folder / "run.json").read_text())["pid"]))
        family = [root, *root.children(recursive=True)]
    except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
        return
    for process in family:
        if process.pid != os.getpid():
            _kill(process)


def _kill(process: Any) -> None:
    import psutil

    try:
        process.kill()
    except psutil.NoSuchProcess:
        return


def _lock(folder: Path) -> IO[str] | None:
    """The folder's lock, held for life; None where another server has it."""
    file = (folder / "server.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _detach(log: Path) -> None:
    """A session of our own, and no parent that waits for us."""
    if os.fork():
        os._exit(0)
    os.setsid()
    log.parent.mkdir(exist_ok=True)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream, target in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
        os.dup2(target, stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
