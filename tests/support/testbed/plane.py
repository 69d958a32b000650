"""A Kubernetes control plane of our own: etcd, API server, controller manager, scheduler."""

from __future__ import annotations

import atexit
import os
import shutil
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from testbed import build
from testbed.certs import Authority, Pair, kubeconfig, write_private
from testbed.children import Child, answers, free_ports, wait_until

__all__ = ["LOOPBACK", "ControlPlane"]

LOOPBACK = "127.0.0.1"
NOWHERE = "192.0.2.1"
"""Advertised where no pod is real: an address for documents (RFC 5737), which nobody has."""
SERVICES = "10.96.0.0/16"
SERVICE = "10.96.0.1"
"""Of the API server, in SERVICES."""
PODS = "10.244.0.0/16"
ISSUER = "https://kubernetes.default.svc.cluster.local"
DEADLINE = 120.0
PREFIX = "colony-testbed-"
UNCHECKED = ssl.create_default_context()
UNCHECKED.check_hostname = False
UNCHECKED.verify_mode = ssl.CERT_NONE
"""For health on a loopback port of a process that made its certificate itself."""


class ControlPlane:
    """Up after `start`, gone after `stop`; a context manager does both.

    Every process dies with this one. The folder goes with `stop`, or else when a later plane
    starts and its owner is no more.
    """

    def __init__(
        self, address: str = LOOPBACK, flags: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """`address`: of this machine, for real nodes and their pods; loopback is enough without.

        `flags`: more of them, by program: kube-apiserver, kube-controller-manager, kube-scheduler.
        """
        _sweep()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self.address = address
        self._flags = flags or {}
        self._port, self._etcd, self._peer, self._manager, self._scheduler = free_ports(5)
        self.server = f"https://{address}:{self._port}"
        self.authority = Authority(self.folder / "pki", "testbed-ca")
        self.logs = self.folder / "logs"
        self.children: list[Child] = []
        self.kubeconfig = self.client("admin", "system:masters")
        atexit.register(self.stop)

    def start(self) -> ControlPlane:
        """Raises NotReady where a program cannot be built, ChildError where one does not run."""
        self._programs = build.programs("kube", "etcd")
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Ends all processes, last started first, and removes the folder. Twice is once."""
        for child in reversed(self.children):
            child.stop(kindly=child.name != "etcd")  # its data go with it
        self.children.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def __enter__(self) -> ControlPlane:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def run(
        self, name: str, argv: Sequence[str | Path], environment: Mapping[str, str] | None = None
    ) -> Child:
        """Starts a process that goes with the plane; it sees nothing of our environment."""
        child = Child(name, argv, self.logs / f"{name}.log", environment, clean=True)
        self.children.append(child)
        return child

    def client(self, user: str, group: str = "") -> Path:
        """A kubeconfig for a user of a group, by certificate."""
        pair = self.authority.issue(user.replace(":", "-"), user, group)
        path = self.folder / "pki" / f"{user.replace(':', '-')}.kubeconfig"
        return kubeconfig(path, self.server, self.authority, pair)

    def service_account(self, namespace: str, name: str) -> Path:
        """A kubeconfig for a service account, by a token of an hour."""
        from kubernetes import client, config

        with config.new_client_from_config(str(self.kubeconfig)) as api:
            asked = client.AuthenticationV1TokenRequest(
                spec=client.V1TokenRequestSpec(audiences=[ISSUER], expiration_seconds=3600)
            )
            answer = client.CoreV1Api(api).create_namespaced_service_account_token(
                name, namespace, asked, _request_timeout=30
            )
        path = self.folder / "pki" / f"account-{namespace}-{name}.kubeconfig"
        return kubeconfig(path, self.server, self.authority, token=answer.status.token)

    def _start(self) -> None:
        self._start_store()
        self._start_server()
        manager, scheduler = self._start_manager(), self._start_scheduler()
        manager.wait_ready(lambda: answers(_health(self._manager), UNCHECKED), DEADLINE)
        scheduler.wait_ready(lambda: answers(_health(self._scheduler), UNCHECKED), DEADLINE)
        account = f"{self.server}/api/v1/namespaces/default/serviceaccounts/default"
        wait_until(lambda: answers(account, self._trust), DEADLINE, "no default service account")

    def _start_store(self) -> None:
        listen, peer = f"http://{LOOPBACK}:{self._etcd}", f"http://{LOOPBACK}:{self._peer}"
        argv: list[str | Path] = [
            self._programs["etcd"],
            "--name=testbed",
            f"--data-dir={self.folder / 'etcd'}",
        ]
        argv += [f"--listen-client-urls={listen}", f"--advertise-client-urls={listen}"]
        argv += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
        argv += [f"--initial-cluster=testbed={peer}", "--unsafe-no-fsync", "--log-level=warn"]
        argv += [f"--quota-backend-bytes={4 << 30}", "--auto-compaction-retention=5m"]
        self.run("etcd", argv)

    def _start_server(self) -> None:
        child = self._kube("kube-apiserver", self._server_flags())
        self._trust = ssl.create_default_context(cafile=str(self.authority.certificate))
        self._trust.load_cert_chain(self.authority.folder / "admin.crt", self._admin_key())
        ready = f"{self.server}/readyz"
        child.wait_ready(lambda: answers(ready, self._trust), DEADLINE)

    def _server_flags(self) -> list[str]:
        local = self.address == LOOPBACK
        signing, public = self._account_keys()
        serving = self._serving()
        proxy = self.authority.issue("front-proxy", "front-proxy-client")
        kubelet = self.authority.issue("to-kubelet", "kube-apiserver", "system:masters")
        ca = self.authority.certificate
        # a loopback address may not be advertised, so nothing is where nobody needs it
        advertise = [f"--advertise-address={NOWHERE}", "--endpoint-reconciler-type=none"]
        return [
            f"--etcd-servers=http://{LOOPBACK}:{self._etcd}",
            f"--secure-port={self._port}",
            f"--bind-address={LOOPBACK if local else '0.0.0.0'}",
            *(advertise if local else [f"--advertise-address={self.address}"]),
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={ca}",
            f"--kubelet-certificate-authority={ca}",
            f"--kubelet-client-certificate={kubelet.certificate}",
            f"--kubelet-client-key={kubelet.key}",
            "--kubelet-preferred-address-types=InternalIP,Hostname",
            f"--requestheader-client-ca-file={ca}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-username-headers=X-Remote-User",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            f"--proxy-client-cert-file={proxy.certificate}",
            f"--proxy-client-key-file={proxy.key}",
            f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={signing}",
            f"--service-account-issuer={ISSUER}",
            f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--allow-privileged=true",
            "--max-requests-inflight=2000",
            "--max-mutating-requests-inflight=1000",
        ]

    def _start_manager(self) -> Child:
        ca = self.authority
        flags = self._clients("kube-controller-manager", self._manager)
        flags += ["--use-service-account-credentials=true", f"--root-ca-file={ca.certificate}"]
        flags += [f"--service-account-private-key-file={self.folder / 'pki' / 'accounts.key'}"]
        flags += [f"--cluster-signing-cert-file={ca.certificate}"]
        flags += [f"--cluster-signing-key-file={ca.key}", f"--cluster-cidr={PODS}"]
        return self._kube("kube-controller-manager", flags)

    def _start_scheduler(self) -> Child:
        return self._kube("kube-scheduler", self._clients("kube-scheduler", self._scheduler))

    def _clients(self, program: str, port: int) -> list[str]:
        """What the two clients of the API server have in common."""
        access = self.client(f"system:{program}")
        return [
            f"--kubeconfig={access}",
            f"--authentication-kubeconfig={access}",
            f"--authorization-kubeconfig={access}",
            f"--secure-port={port}",
            f"--bind-address={LOOPBACK}",
            "--leader-elect=false",
            "--kube-api-qps=300",
            "--kube-api-burst=600",
        ]

    def _kube(self, program: str, flags: list[str]) -> Child:
        more = self._flags.get(program, ())
        return self.run(program, [self._programs["kube"], program, *flags, *more])

    def _serving(self) -> Pair:
        service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        names = ["localhost", *service, f"{service[-1]}.cluster.local"]
        addresses = sorted({LOOPBACK, SERVICE, self.address})
        return self.authority.issue("apiserver", "kube-apiserver", dns=names, addresses=addresses)

    def _account_keys(self) -> tuple[Path, Path]:
        key = rsa.generate_private_key(65537, 2048)
        pem = serialization.Encoding.PEM
        private, public = self.folder / "pki" / "accounts.key", self.folder / "pki" / "accounts.pub"
        plain = serialization.NoEncryption()
        old = serialization.PrivateFormat.TraditionalOpenSSL
        write_private(private, key.private_bytes(pem, old, plain))
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        write_private(public, key.public_key().public_bytes(pem, info))
        return private, public

    def _admin_key(self) -> Path:
        return self.authority.folder / "admin.key"


def _health(port: int) -> str:
    return f"https://{LOOPBACK}:{port}/healthz"


def _sweep() -> None:
    """Removes the folders of planes whose owner was killed; their processes died with it."""
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = left.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
