"""Charts as others serve them: an HTTP repository and an OCI registry, on loopback; a webhook."""

from __future__ import annotations

import hashlib
import json
import shutil
import ssl
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import yaml
from testbed.certs import Authority
from testbed.plane import LOOPBACK

SHIPS = Path(__file__).with_name("ships_chart")
CONFIG = "application/vnd.cncf.helm.config.v1+json"
LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def package(helm: Path, chart: Path, into: Path, version: str) -> Path:
    """`helm package`, of a copy."""
    into.mkdir(parents=True, exist_ok=True)
    source = into / "source" / chart.name
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(chart, source)
    argv = [helm, "package", source, "--destination", into, "--version", version]
    env = {"HOME": str(into), "PATH": "/usr/bin:/bin"}
    subprocess.run(argv, check=True, capture_output=True, timeout=60, env=env)
    name = yaml.safe_load((chart / "Chart.yaml").read_text())["name"]
    return into / f"{name}-{version}.tgz"


def repository(helm: Path, folder: Path, url: str) -> None:
    """`helm repo index` of the packages in a folder."""
    argv = [helm, "repo", "index", folder, "--url", url]
    env = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    subprocess.run(argv, check=True, capture_output=True, timeout=60, env=env)


@contextmanager
def served(handler, authority: Authority | None = None):
    """The port of a server on loopback; with an authority it speaks TLS."""
    server = ThreadingHTTPServer((LOOPBACK, 0), handler)
    if authority:
        pair = authority.issue("store", "store", addresses=[LOOPBACK])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body: bytes, kind: str = "application/octet-stream", status: int = 200):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if kind == MANIFEST:
            self.send_header("Docker-Content-Digest", digest(body))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def files(folder: Path):
    """A handler that serves a folder's files."""

    class Files(_Quiet):
        def do_GET(self):
            found = folder / Path(self.path).name
            if found.is_file():
                self.answer(found.read_bytes())
            else:
                self.answer(b"", status=404)

    return Files


def registry(packages: dict[str, Path], token: str = ""):
    """A handler that serves charts, by `name:version`, as an OCI registry does. With a token it
    says where that is had, gives it to whoever asks, and serves nobody else."""
    blobs: dict[str, bytes] = {}
    manifests: dict[str, bytes] = {}
    for reference, path in packages.items():
        name, _, version = reference.partition(":")
        chart = yaml.safe_load((SHIPS / "Chart.yaml").read_text()) | {"version": version}
        config, layer = json.dumps(chart).encode(), path.read_bytes()
        blobs |= {digest(config): config, digest(layer): layer}
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": _descriptor(CONFIG, config),
                "layers": [_descriptor(LAYER, layer)],
            }
        ).encode()
        manifests |= {f"{name}/{version}": manifest, f"{name}/{digest(manifest)}": manifest}

    class Registry(_Quiet):
        def do_GET(self):
            if self.path.startswith("/token?"):
                self.answer(json.dumps({"token": token}).encode(), "application/json")
            elif token and self.headers.get("Authorization") != f"Bearer {token}":
                self.challenge()
            else:
                self.serve()

        def challenge(self):
            where = f"http://{self.headers['Host']}/token"
            body = b"{}"
            self.send_response(401)
            challenge = f'Bearer realm="{where}",service="store",scope="repository:x:pull"'
            self.send_header("WWW-Authenticate", challenge)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def serve(self):
            parts = self.path.split("?")[0].strip("/").split("/")
            kind, last = (parts[-2], parts[-1]) if len(parts) > 3 else ("", "")
            if self.path.rstrip("/") == "/v2":
                self.answer(b"{}", "application/json")
            elif kind == "blobs" and last in blobs:
                self.answer(blobs[last])
            elif kind == "manifests" and f"{parts[-3]}/{last}" in manifests:
                self.answer(manifests[f"{parts[-3]}/{last}"], MANIFEST)
            else:
                self.answer(b"{}", "application/json", 404)

        do_HEAD = do_GET

    return Registry


def ships_webhook(asked: list[str]):
    """Refuses ships of more than nine sails; `asked` has the names it was asked about."""

    class Webhook(_Quiet):
        def do_POST(self):
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            request = review["request"]
            asked.append(request["object"]["metadata"]["name"])
            allowed = request["object"].get("spec", {}).get("sails", 0) < 10
            response = {"uid": request["uid"], "allowed": allowed}
            if not allowed:
                response["status"] = {"message": "too many sails"}
            body = {
                "apiVersion": review["apiVersion"],
                "kind": review["kind"],
                "response": response,
            }
            self.answer(json.dumps(body).encode(), "application/json")

    return Webhook


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _descriptor(kind: str, data: bytes) -> dict:
    return {"mediaType": kind, "digest": digest(data), "size": len(data)}
