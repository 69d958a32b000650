"""One real node beside the fake ones: containerd, runc, the bridge plugin, CoreDNS, kube-proxy and
a kubelet. Needs root; `reason()` says what else is missing.

Its pods get addresses of a bridge of its own, names from CoreDNS on that bridge's address, and
services by nftables. What it changes on the machine is undone by `janitor.py`, in any case.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from testbed import build, image
from testbed.children import Child
from testbed.janitor import CGROUPS, PROC, cgroups, run
from testbed.plane import ControlPlane

__all__ = ["LABEL", "RealNode", "logs", "reason"]

LABEL = "colony.dev/real"
NAME = "real"
DEADLINE = 90.0
NEEDED = ("ip", "nft", "mount", "umount")


def reason() -> str:
    """Why there can be no real node on this machine; empty = there can."""
    if os.geteuid() != 0:
        return "not root"
    missing = [name for name in NEEDED if not shutil.which(name)]
    if missing:
        return f"no {', '.join(missing)}: apt-get install iproute2 nftables mount"
    if os.statvfs(CGROUPS).f_flag & os.ST_RDONLY:
        return "the cgroups cannot be written"
    bridge = f"try{os.getpid() % 100000}"
    if run("ip", "link", "add", bridge, "type", "bridge").returncode:
        return "the kernel gives no bridge"
    run("ip", "link", "del", bridge)
    if run("nft", "list", "tables").returncode:
        return "the kernel has no nftables"
    return ""


def logs(plane: ControlPlane, namespace: str, *which: str) -> str:
    """What containers said: of a pod by its name, or by `-l LABELS`. Empty while there is none."""
    kube = str(build.programs("kube")["kube"])
    argv = [kube, "kubectl", f"--kubeconfig={plane.kubeconfig}", "-n", namespace, "logs", *which]
    done = subprocess.run(
        [*argv, "--all-containers", "--tail=-1"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.stdout


class RealNode:
    """Ready after `start`, gone after `stop`. Its pods need `nodeSelector: {LABEL: "true"}`."""

    def __init__(self, plane: ControlPlane, extra: dict[str, bytes] | None = None) -> None:
        """`extra`: more files of its one image, by absolute path."""
        self._plane = plane
        self._extra = extra or {}
        self._folder = plane.folder / "node"
        self._children: list[Child] = []
        # nodes of several runs on one machine must not meet
        unique = os.getpid() % 25000
        self._net = f"10.{100 + unique // 250}.{unique % 250}"
        self._gateway = f"{self._net}.1"
        self._bridge = f"colony{unique}"
        self._janitor: subprocess.Popen[str] | None = None

    def start(self) -> RealNode:
        """Raises NotReady where a program cannot be built, ChildError where one does not run."""
        self._programs = build.programs(*build.NODE, "kube")
        (self._folder / "bin").mkdir(parents=True)
        for name, path in self._programs.items():
            (self._folder / "bin" / name).symlink_to(path)
        self._hire()
        try:
            self._network()
            self._runtime()
            self._names()
            self._services()
            self._kubelet()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Twice is once."""
        for child in reversed(self._children):
            child.stop()
        self._children.clear()
        if self._janitor and self._janitor.stdin:
            self._janitor.stdin.close()
            self._janitor.wait(DEADLINE)
            self._janitor = None

    def _hire(self) -> None:
        """Its standard input ends with this process, however that ends."""
        argv = [sys.executable, str(Path(__file__).with_name("janitor.py"))]
        self._janitor = subprocess.Popen(
            [*argv, str(self._folder), self._bridge],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with self._janitor.stdout or open(os.devnull) as said:
            said.readline()

    def _network(self) -> None:
        for argv in (
            ("link", "add", self._bridge, "type", "bridge"),
            ("addr", "add", f"{self._gateway}/24", "dev", self._bridge),
            ("link", "set", self._bridge, "up"),
        ):
            done = run("ip", *argv)
            if done.returncode:
                raise RuntimeError(f"ip {' '.join(argv)}: {done.stderr.strip()}")
        (PROC / "net/ipv4/ip_forward").write_text("1")
        ipam = {
            "type": "host-local",
            "dataDir": str(self._folder / "ipam"),
            "ranges": [[{"subnet": f"{self._net}.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        }
        # a pod reaches its own service: two processes of rank 0's pod do
        plugin = {"type": "bridge", "bridge": self._bridge, "isGateway": True, "hairpinMode": True}
        config = {"cniVersion": "1.0.0", "name": "colony", "plugins": [{**plugin, "ipam": ipam}]}
        self._write("cni/10-colony.conflist", json.dumps(config))

    def _runtime(self) -> None:
        runc, cni = self._folder / "bin" / "runc", self._folder / "bin" / "cni"
        text = RUNTIME.format(folder=self._folder, cni=cni, runc=runc)
        child = self._run("containerd", ["-c", self._write("containerd.toml", text)])
        child.wait_ready(lambda: run(*self._ctr("version")).returncode == 0, DEADLINE)
        archive = image.make(self._folder / "image", self._extra)
        done = run(*self._ctr("-n", "k8s.io", "images", "import", str(archive)))
        if done.returncode:
            raise RuntimeError(f"the image cannot be imported: {done.stderr.strip()}")

    def _names(self) -> None:
        admin = self._plane.kubeconfig
        text = NAMES.format(address=self._gateway, kubeconfig=admin)
        self._run("coredns", ["-conf", self._write("Corefile", text)])

    def _services(self) -> None:
        nowhere = {"maxPerCore": 0, "min": 0}
        timeouts = {"tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"}
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            # replies between two pods of one bridge would not be translated back otherwise
            "nftables": {"masqueradeAll": True},
            "clusterCIDR": f"{self._net}.0/24",
            "clientConnection": {"kubeconfig": str(self._plane.kubeconfig)},
            "hostnameOverride": NAME,
            "healthzBindAddress": f"{self._gateway}:10256",
            "metricsBindAddress": f"{self._gateway}:10249",
            "conntrack": {**nowhere, **timeouts},
        }
        path = self._write("kube-proxy.yaml", yaml.safe_dump(config))
        self._run("kube-proxy", ["--config", path], self._kube("kube-proxy"))

    def _kubelet(self) -> None:
        user = f"system:node:{NAME}"
        authority = self._plane.authority
        serving = authority.issue("kubelet-serving", user, "system:nodes", [NAME], [self._gateway])
        for cgroup in cgroups(self._bridge):
            cgroup.mkdir(exist_ok=True)
            _inherit_cpus(cgroup)
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "failCgroupV1": False,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._bridge}",
            "enforceNodeAllocatable": [],
            "containerRuntimeEndpoint": f"unix://{self._folder}/c.sock",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": False},
                "x509": {"clientCAFile": str(authority.certificate)},
            },
            "authorization": {"mode": "AlwaysAllow"},
            "clusterDomain": "cluster.local",
            "clusterDNS": [self._gateway],
            "address": self._gateway,
            "readOnlyPort": 0,
            "healthzPort": 0,
            "tlsCertFile": str(serving.certificate),
            "tlsPrivateKeyFile": str(serving.key),
            "podLogsDir": str(self._folder / "logs"),
            "failSwapOn": False,
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {"memory.available": "100Mi"},
            "maxPods": 60,
        }
        flags = {
            "config": self._write("kubelet.yaml", yaml.safe_dump(config)),
            "kubeconfig": self._plane.client(user, "system:nodes"),
            "root-dir": self._folder / "kubelet",
            "cert-dir": self._folder / "pki",
            "node-ip": self._gateway,
            "hostname-override": NAME,
            "node-labels": f"{LABEL}=true",
        }
        argv = [f"--{name}={value}" for name, value in flags.items()]
        child = self._run("kubelet", argv, self._kube("kubelet"))
        child.wait_ready(self._is_ready, DEADLINE)

    def _is_ready(self) -> bool:
        from testbed.cluster import Cluster, has

        cluster = Cluster(self._plane.kubeconfig)
        try:
            found = cluster.get("v1/Node", NAME)
            return bool(found) and has(found or {}, "Ready")
        finally:
            cluster.close()

    def _kube(self, program: str) -> list[str | Path]:
        return [self._programs["kube"], program]

    def _run(
        self, name: str, argv: Sequence[Any], program: list[str | Path] | None = None
    ) -> Child:
        command = program or [self._programs[name]]
        path = os.pathsep.join([str(self._folder / "bin"), os.environ["PATH"]])
        log = self._plane.logs / f"{name}.log"
        child = Child(name, [*command, *map(str, argv)], log, {"PATH": path}, clean=True)
        self._children.append(child)
        return child

    def _ctr(self, *arguments: str) -> list[str]:
        return [str(self._programs["ctr"]), "-a", str(self._folder / "c.sock"), *arguments]

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def _inherit_cpus(cgroup: Path) -> None:
    """A new cpuset of cgroups version 1 has no CPUs."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        with suppress(OSError):
            (cgroup / name).write_text((cgroup.parent / name).read_text())


RUNTIME = """\
version = 3
root = "{folder}/containerd"
state = "{folder}/state"
[grpc]
  address = "{folder}/c.sock"
[plugins."io.containerd.nri.v1.nri"]
  disable = true
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "localhost/colony-test:1"
[plugins."io.containerd.cri.v1.runtime"]
  disable_apparmor = true
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["{cni}"]
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.cri.v1.runtime".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
        BinaryName = "{runc}"
        SystemdCgroup = false
"""

NAMES = """\
.:53 {{
    bind {address}
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 1
    }}
}}
"""
