"""A container image made of this machine's own files: Python, bash and what the entry point calls.

No engine, no registry: a root folder of copied files and their shared libraries, packed as an OCI
archive (https://github.com/opencontainers/image-spec) that `ctr images import` takes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

NAME = "localhost/colony-test:1"
TOOLS = (
    "bash sh cat chmod cp date dirname echo env false getent grep gzip head hostname id kill ln ls "
    "mkdir mv ps rm sed sleep sort tail tar timeout touch tr true uname wc"
).split()
SSH = ("ssh", "ssh-keygen", "sshd")
"""For launchers; where the machine has them."""
SKIPPED = ("test", "tests", "__pycache__", "site-packages", "idlelib", "ensurepip", "lib2to3")
LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
ETC = {
    "passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
    "sshd:x:101:65534::/run/sshd:/bin/false\n",
    "group": "root:x:0:\nnogroup:x:65534:\n",
    "nsswitch.conf": "hosts: files dns\n",
}


def make(folder: Path, extra: dict[str, bytes] | None = None) -> Path:
    """The archive in `folder`; `extra` holds more files of the image by absolute path."""
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    _skeleton(root)
    _python(root)
    for tool in (*TOOLS, *SSH):
        _tool(root, tool)
    _libraries(root)
    for path, data in (extra or {}).items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    archive = _pack(root, folder / "image.tar")
    shutil.rmtree(root)
    return archive


def _skeleton(root: Path) -> None:
    for name in ("etc", "proc", "sys", "dev", "run", "root", "usr/bin", "usr/lib", "usr/lib64"):
        (root / name).mkdir(parents=True)
    for name in ("tmp", "var/tmp"):
        (root / name).mkdir(parents=True)
        (root / name).chmod(0o1777)
    for name in ("bin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "usr/sbin").symlink_to("bin")
    (root / "sbin").symlink_to("usr/bin")
    for name, text in ETC.items():
        (root / "etc" / name).write_text(text)


def _python(root: Path) -> None:
    """The interpreter that runs this, at its own path; without a system prefix of its own."""
    prefix = Path(sys.base_prefix)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for folder in dict.fromkeys(Path(p) for p in (os.__file__ and Path(os.__file__).parent,)):
        _copy_tree(folder, root)
    binary = (prefix / "bin" / version).resolve()
    _copy(binary, root, binary)
    for name in ("python3", "python", version):
        link = root / "usr/bin" / name
        if not link.exists() and not link.is_symlink():
            link.symlink_to(binary)


def _copy_tree(folder: Path, root: Path) -> None:
    shutil.copytree(
        folder,
        _inside(root, folder),
        ignore=shutil.ignore_patterns(*SKIPPED, "config-*", "*.a", "dist-packages"),
        symlinks=False,
        dirs_exist_ok=True,
        ignore_dangling_symlinks=True,
    )


def _tool(root: Path, name: str) -> None:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found:
        _copy(Path(found).resolve(), root, Path("/usr/bin") / name)
    if name == "sshd":
        for part in Path("/usr/lib/openssh").glob("sshd-*"):  # of version 9.8 and later
            _copy(part, root, part)


def _libraries(root: Path) -> None:
    """Everything that the copied programs and extension modules link to, and the name service."""
    linked = [path for path in root.rglob("*") if path.is_file() and _is_elf(path)]
    said = subprocess.run(["ldd", *linked], capture_output=True, text=True, check=False).stdout
    names = set(LIBRARY.findall(said))
    names |= {str(path) for path in Path("/").glob("usr/lib/*-linux-gnu/libnss_*.so.2")}
    for name in sorted(names):
        _copy(Path(name).resolve(), root, Path(name))


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _copy(source: Path, root: Path, path: Path) -> None:
    target = _inside(root, path)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _inside(root: Path, path: Path) -> Path:
    """Where an absolute path of the machine is in the image: `/lib` is a link to `/usr/lib`."""
    text = str(path)
    for name in ("/lib64/", "/lib/", "/bin/", "/sbin/"):
        if text.startswith(name):
            text = f"/usr{text}"
    return root / text.replace("/usr/sbin/", "/usr/bin/").lstrip("/")


def _pack(root: Path, archive: Path) -> Path:
    layer = archive.with_suffix(".layer")
    with tarfile.open(layer, "w", format=tarfile.PAX_FORMAT) as tar:
        for entry in sorted(root.iterdir()):
            tar.add(entry, entry.name, filter=_plain)
    with layer.open("rb") as file:
        digest = (
            hashlib.file_digest(file, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else hashlib.sha256(file.read()).hexdigest()
        )
    blobs: dict[str, bytes] = {}
    config = _blob(
        blobs,
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {
                "Entrypoint": ["/usr/bin/sleep"],
                "Cmd": ["infinity"],
                "Env": ["PATH=/usr/bin:/bin"],
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        },
    )
    tar_type = "application/vnd.oci.image.layer.v1.tar"
    manifest = _blob(
        blobs,
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
            "layers": [
                {"mediaType": tar_type, "digest": f"sha256:{digest}", "size": layer.stat().st_size}
            ],
        },
    )
    index = {
        "schemaVersion": 2,
        "manifests": [
            {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                **manifest,
                "annotations": {"io.containerd.image.name": NAME},
            }
        ],
    }
    with tarfile.open(archive, "w") as tar:
        _add(tar, "oci-layout", b'{"imageLayoutVersion":"1.0.0"}')
        _add(tar, "index.json", json.dumps(index).encode())
        for name, data in blobs.items():
            _add(tar, f"blobs/sha256/{name}", data)
        tar.add(layer, f"blobs/sha256/{digest}")
    layer.unlink()
    return archive


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
    return info


def _blob(blobs: dict[str, bytes], value: dict) -> dict:
    data = json.dumps(value).encode()
    digest = hashlib.sha256(data).hexdigest()
    blobs[digest] = data
    return {"digest": f"sha256:{digest}", "size": len(data)}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
