"""A test bed by hand, until Ctrl-C.

PYTHONPATH=tests/support python -m testbed.hold [--nodes N] [CONTROLLER...]

Prints the kubeconfig's path. Controllers: jobset kueue mpi trainer kuberay volcano, or `all`.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType

from jobs.errors import NotReady
from testbed import build, kwok
from testbed.children import ChildError
from testbed.cluster import Cluster
from testbed.controllers import NAMES, Controllers, needed_programs
from testbed.plane import ControlPlane


def main() -> None:
    asked = _arguments()
    names = NAMES if asked.controllers == ["all"] else tuple(asked.controllers)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        build.programs("kube", "etcd", "kwok", *needed_programs(*names))
        with ControlPlane() as plane:
            _hold(plane, names, asked.nodes)
    except (NotReady, ChildError) as error:
        sys.exit(f"testbed: {error}")
    except KeyboardInterrupt:
        print("testbed: stopped")


def _hold(plane: ControlPlane, names: tuple[str, ...], nodes: int) -> None:
    began = time.monotonic()
    kwok.start(plane)
    cluster = Cluster(plane.kubeconfig)
    kwok.fake_nodes(cluster, nodes)
    Controllers(plane, cluster).start(*names)
    print(f"testbed: {', '.join(names) or 'no controllers'}; {nodes} fake nodes of 8 GPUs")
    print(f"testbed: controllers after {time.monotonic() - began:.1f} s; logs in {plane.logs}")
    print(f"export KUBECONFIG={plane.kubeconfig}")
    print(f"alias kubectl='{build.programs('kube')['kube']} kubectl'", flush=True)
    while True:
        time.sleep(3600)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="testbed.hold", description=__doc__)
    parser.add_argument("controllers", nargs="*", choices=[*NAMES, "all", []])
    parser.add_argument("--nodes", type=int, default=4, help="fake nodes of 8 GPUs")
    return parser.parse_args()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
