"""Machines of our own making: a network namespace each, with Debian's sshd and folders of its own.

k3s is a stand-in there: its installer refuses what the real one's service would (another version,
a wrong token or server, a second join), and registers the host as a node of the test bed.

Names are the machine's, so one test at a time has them; it begins by taking away what a killed one
has left.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

from colony import ssh

__all__ = ["Metal", "missing"]

NET = "10.211.77"
BRIDGE = "clnb0"
SPACE, INNER, OUTER = "clnh", "clni", "clno"
LOCK = "/run/lock/colony-metal"
BOUND = ("/etc/rancher", "/var/lib/rancher", "/usr/local/bin")
"""Each host has its own."""
VERSION = "v1.34.1+k3s1"
SSHD = """
Port 22
ListenAddress {address}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
"""
INSTALLER = r"""
set -eu
state={state}
die() { echo "k3s stand-in: $*" >&2; exit 1; }
[ "$INSTALL_K3S_VERSION" = "{version}" ] || die "no release $INSTALL_K3S_VERSION"
mode=$1; shift
server= token= name= labels=
while [ $# -gt 0 ]; do
    case $1 in
        --server) server=$2; shift ;;
        --token-file) token=$(cat "$2"); shift ;;
        --node-name=*) name=${1#*=} ;;
        --node-label=*) labels="$labels ${1#*=}" ;;
    esac
    shift
done
[ ! -e "/usr/local/bin/k3s" ] || die "$name has joined already"
if [ "$mode" = server ]; then
    own=/var/lib/rancher/k3s/server
    [ ! -e "$state/token" ] || [ -e $own/node-token ] || die "a second server"
    mkdir -p $own
    [ -e "$state/token" ] || od -An -tx1 -N16 /dev/urandom | tr -d ' \n' > "$state/token"
    cp "$state/token" $own/node-token
    cp "$state/kubeconfig" /etc/rancher/k3s/k3s.yaml
    uninstall=k3s-uninstall.sh
else
    [ "$server" = "$(cat "$state/url")" ] || die "no server at $server"
    [ "$token" = "$(cat "$state/token")" ] || die "token is not valid"
    uninstall=k3s-agent-uninstall.sh
fi
echo "$mode $name" >> "$state/joins"
cat > /usr/local/bin/k3s << K3S
#!/bin/sh
shift
exec nsenter --net=/proc/{pid}/ns/net {kubectl} --kubeconfig $state/kubeconfig "\$@"
K3S
cat > /usr/local/bin/$uninstall << UNINSTALL
#!/bin/sh
echo "left $name" >> $state/joins
if [ $mode = server ]; then
    /usr/local/bin/k3s kubectl delete node -l metal=yes
    rm -f $state/token
fi
rm -rf /etc/rancher/k3s/k3s.yaml /var/lib/rancher/k3s /usr/local/bin/k3s*
UNINSTALL
chmod +x /usr/local/bin/k3s "/usr/local/bin/$uninstall"
/usr/local/bin/k3s kubectl apply -f - << NODE
{{"apiVersion": "v1", "kind": "Node", "metadata": {{"name": "$name",
 "annotations": {{"kwok.x-k8s.io/node": "fake"}}, "labels": {{"type": "kwok", "metal": "yes"}}}}}}
NODE
size='{{"cpu": "64", "memory": "256Gi", "pods": "110"}}'
/usr/local/bin/k3s kubectl patch node "$name" --subresource=status --type=merge \
    -p "{{\"status\": {{\"allocatable\": $size, \"capacity\": $size}}}}"
for label in $labels; do /usr/local/bin/k3s kubectl label --overwrite node "$name" "$label"; done
"""


def missing():
    """What lacks for machines of our own; empty where they can be made."""
    if os.geteuid() != 0:
        return "it takes root to make network namespaces"
    path = f"{os.environ.get('PATH', '')}:/usr/sbin"
    lacking = [name for name in ("sshd", "ip", "nsenter", "unshare", "ssh-keygen", "kubectl")
               if not shutil.which(name, path=path)]  # fmt: skip
    return f"missing: {', '.join(lacking)}" if lacking else ""


class Metal:
    """Hosts `10.211.77.11` and on, with one user key that they all know."""

    def __init__(self, folder, kubeconfig, count):
        self.folder, self.state = Path(folder), Path(folder, "state")
        self.addresses = [f"{NET}.{11 + index}" for index in range(count)]
        self.key, self.known_hosts = self.folder / "key", self.folder / "known_hosts"
        self.installer = self.folder / "installer.sh"
        self._kubeconfig = Path(kubeconfig)
        self._stack = ExitStack()

    def __enter__(self):
        with self._stack:
            self._stack.callback(os.close, exclusive())
            clear()
            self.state.mkdir(parents=True)
            shutil.copy(self._kubeconfig, self.state / "kubeconfig")
            (self.state / "url").write_text(f"https://{self.addresses[0]}:6443")
            self.installer.write_text(self._installer())
            keygen(self.key)
            self._network()
            for address in self.addresses:
                self._host(address)
            self._kept = self._stack.pop_all()
        return self

    def __exit__(self, *_):
        self._kept.close()

    def own(self, address, path):
        """A host's own folder, as this machine sees it."""
        return self.folder / address / path.strip("/").replace("/", "-")

    def left(self, address):
        """All that is in the host's own folders."""
        return sorted(str(each.relative_to(self.own(address, path)))
                      for path in BOUND for each in self.own(address, path).rglob("*"))  # fmt: skip

    def way(self, address):
        """How our ssh reaches it."""
        known = dict(line.split(" ", 1) for line in self.known_hosts.read_text().splitlines())
        return ssh.Way(address, host_key=known[address], private_key=self.key.read_text())

    def token(self):
        return (self.state / "token").read_text()

    def forget_token(self):
        """As if the server had been given another one."""
        (self.state / "token").write_text("another")

    def joins(self):
        path = self.state / "joins"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def _installer(self):
        facts = {"state": self.state, "version": VERSION, "pid": os.getpid(),
                 "kubectl": shutil.which("kubectl")}  # fmt: skip
        text = INSTALLER
        for name, value in facts.items():
            text = text.replace(f"{{{name}}}", str(value))
        return text.replace("{{", "{").replace("}}", "}")

    def _network(self):
        ip("link", "add", BRIDGE, "type", "bridge")
        self._stack.callback(ip, "link", "del", BRIDGE)
        ip("addr", "add", f"{NET}.1/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for path in BOUND:
            if not os.path.isdir(path):
                os.makedirs(path)
                self._stack.callback(os.rmdir, path)

    def _host(self, address):
        number = address.rsplit(".", 1)[1]
        space, inner, outer = f"{SPACE}{number}", f"{INNER}{number}", f"{OUTER}{number}"
        folder = self.folder / address
        for path in BOUND:
            self.own(address, path).mkdir(parents=True)
        ip("netns", "add", space)
        self._stack.callback(ip, "netns", "del", space)
        ip("link", "add", outer, "type", "veth", "peer", "name", inner, "netns", space)
        ip("link", "set", outer, "master", BRIDGE, "up")
        ip("-n", space, "addr", "add", f"{address}/24", "dev", inner)
        ip("-n", space, "link", "set", inner, "up")
        ip("-n", space, "link", "set", "lo", "up")
        keygen(folder / "host_key")
        shutil.copy(f"{self.key}.pub", folder / "authorized_keys")
        (folder / "sshd_config").write_text(SSHD.format(address=address, folder=folder))
        public = (folder / "host_key.pub").read_text().split()[:2]
        with self.known_hosts.open("a") as file:
            file.write(f"{address} {' '.join(public)}\n")
        self._serve(space, address, folder)

    def _serve(self, space, address, folder):
        os.makedirs("/run/sshd", exist_ok=True)
        mounts = "".join(f"mount --bind {self.own(address, path)} {path} && " for path in BOUND)
        line = f"{mounts}exec /usr/sbin/sshd -D -e -f {folder}/sshd_config"
        with (folder / "sshd.log").open("w") as log:
            process = subprocess.Popen(
                ["ip", "netns", "exec", space, "unshare", "--mount", "--propagation", "private",
                 "sh", "-c", line], stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self._stack.callback(process.wait, 10)
        self._stack.callback(process.terminate)
        until(lambda: "listening" in (folder / "sshd.log").read_text(), process)


def exclusive(seconds=240):
    """A lock that the kernel lets go of when we end, however we do."""
    descriptor = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            assert time.monotonic() < end, f"another test has hosts of its own: {LOCK}"
            time.sleep(0.2)


def clear():
    """What a killed test has left: processes in our namespaces, namespaces, links, folders."""
    spaces = [each["name"] for each in listed("netns", "list")]
    for space in [name for name in spaces if name.startswith(SPACE)]:
        for pid in run("ip", "netns", "pids", space).split():
            os.kill(int(pid), signal.SIGKILL)
        ip("netns", "del", space)
    for link in [each["ifname"] for each in listed("link", "show")]:
        if link == BRIDGE or link.startswith(OUTER):
            # The other end may have taken it along.
            subprocess.run(["ip", "link", "del", link], capture_output=True, timeout=30)
    for path in BOUND:
        if os.path.isdir(path) and path != "/usr/local/bin" and not os.listdir(path):
            os.rmdir(path)


def listed(*words):
    return json.loads(run("ip", "-j", *words) or "[]")


def until(happened, process, seconds=15):
    end = time.monotonic() + seconds
    while not happened():
        assert process.poll() is None and time.monotonic() < end, "sshd did not start"
        time.sleep(0.02)


def keygen(path):
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))


def ip(*arguments):
    run("ip", *arguments)


def run(*line):
    done = subprocess.run(line, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{' '.join(line)}: {done.stderr}"
    return done.stdout
