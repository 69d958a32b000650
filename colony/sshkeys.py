"""How hosts on-prem are known and entered: read by the command line, never at program time."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from colony import ssh as client
from colony.market.onprem import placement_of
from components.hosts import Ssh
from components.placement import ClusterPlacement, HostPlacement, Placement
from components.spec import Cloud, ClusterSpec, ColonySpec
from jobs.errors import InputError, NotReady, Problem

__all__ = ["ssh_keys_of", "ways_of", "with_host_keys"]

_PREFERRED = ("ecdsa-", "rsa-", "ssh-rsa", "ssh-ed25519")
"""Go's ssh client asks for host keys in this order, and one key can be given of each host."""


def ssh_keys_of(spec: ColonySpec) -> dict[str, str]:
    """Cluster -> the text of its private key; none where the ssh agent has it. InputError."""
    found = {}
    for index, cluster in enumerate(spec.clusters):
        if cluster.cloud is not Cloud.ONPREM or not (cluster.ssh and cluster.ssh.key):
            continue
        where, path = f"clusters[{index}].ssh.key", Path(cluster.ssh.key).expanduser()
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(Problem(where, f"cannot read {path}: {error}")) from None
        if "PRIVATE KEY" not in text:
            hint = "name the private key, not the .pub file"
            raise InputError(Problem(where, f"{path} is no private key", hint))
        if _has_passphrase(path):
            hint = "leave `key` out and load it into the ssh agent: ssh-add"
            raise InputError(Problem(where, f"{path} has a passphrase", hint))
        found[cluster.name] = text
    return found


def with_host_keys(spec: ColonySpec, placement: Placement) -> Placement:
    """The placement with every host's key out of known_hosts. InputError for unknown hosts."""
    settings = {cluster.name: cluster.ssh or Ssh() for cluster in spec.clusters}
    problems: list[Problem] = []
    clusters = [
        cluster
        if not cluster.hosts
        else cluster.model_copy(update={"hosts": _known(cluster, settings[cluster.name], problems)})
        for cluster in placement.clusters
    ]
    if problems:
        raise InputError(*problems)
    return placement.model_copy(update={"clusters": clusters})


def ways_of(cluster: ClusterSpec, key: str, problems: list[Problem]) -> list[client.Way]:
    """How each host of the cluster is reached; unknown hosts are added to `problems`."""
    hosts = _known(placement_of(cluster), cluster.ssh or Ssh(), problems)
    return [
        client.Way(host.address, host.user, host.port, host.host_key, private_key=key)
        for host in hosts
    ]


def _known(cluster: ClusterPlacement, ssh: Ssh, problems: list[Problem]) -> list[HostPlacement]:
    path = Path(ssh.known_hosts).expanduser()
    hosts = []
    for index, host in enumerate(cluster.hosts):
        key = host_key(path, host.address, host.port)
        if not key:
            message = f"{path} has no key of {host.address}"
            hint = f"look at it once: ssh -p {host.port} {host.user}@{host.address}"
            problems.append(Problem(f"clusters.{cluster.name}.hosts[{index}]", message, hint))
        hosts.append(host.model_copy(update={"host_key": key}))
    return hosts


def host_key(path: Path, address: str, port: int) -> str:
    """`TYPE BASE64` out of a known_hosts file, hashed names too; empty where it is not there."""
    name = address if port == 22 else f"[{address}]:{port}"
    found = _keygen("-F", name, "-f", str(path))
    keys = [line.split()[1:3] for line in found.splitlines() if line and line[0] not in "#@"]
    ranked = sorted(
        (rank, " ".join(key))
        for key in keys
        for rank, start in enumerate(_PREFERRED)
        if len(key) == 2 and key[0].startswith(start)
    )
    return ranked[0][1] if ranked else ""


def _has_passphrase(path: Path) -> bool:
    return not _keygen("-y", "-P", "", "-f", str(path))


def _keygen(*arguments: str) -> str:
    program = shutil.which("ssh-keygen")
    if program is None:
        hint = "install it: apt-get install openssh-client"
        raise NotReady(Problem("ssh-keygen", "is missing, and on-prem hosts need it", hint))
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL
    )
    return done.stdout if done.returncode == 0 else ""
