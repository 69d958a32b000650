"""The part of Azure Blob Storage that the official client uses for us."""

from __future__ import annotations

from email.utils import formatdate
from xml.sax.saxutils import escape

from fake_gcs import shortened
from loopback import Answer, Service

ACCOUNT = "account"


class FakeAzblob(Service):
    """Containers of blobs with ETags; conditions are kept."""

    def __init__(self, *containers):
        super().__init__()
        self.containers = {name: {} for name in containers}
        self.made = self.listed = 0

    def answer(self, call):
        if not call.headers.get("authorization", "").startswith(f"SharedKey {ACCOUNT}:"):
            return _refused(403, "AuthenticationFailed")
        _, account, container, *rest = call.path.split("/", 3)
        if account != ACCOUNT:
            return None
        if container not in self.containers:
            return _refused(404, "ContainerNotFound")
        blobs, key = self.containers[container], "".join(rest)
        if call.method == "GET" and not key and call.query.get("comp") == "list":
            return self._listed(blobs, call)
        if not key or "comp" in call.query:
            return None
        if call.method == "PUT":
            return self._put(blobs, key, call)
        if key not in blobs:
            return _refused(404, "BlobNotFound")
        if call.method == "GET":
            return _got(blobs[key], call)
        if call.method == "DELETE":
            del blobs[key]
            return Answer(202)
        return None

    def _put(self, blobs, key, call):
        if call.headers.get("x-ms-blob-type") != "BlockBlob":
            return None
        if call.headers.get("if-none-match") == "*" and key in blobs:
            return _refused(409, "BlobAlreadyExists")
        wanted = call.headers.get("if-match")
        if wanted and (key not in blobs or blobs[key][1] != wanted):
            return _refused(412, "ConditionNotMet")
        self.made += 1
        blobs[key] = (call.body, f'"0x{self.made:016X}"')
        return Answer(201, headers=_headers(blobs[key]))

    def _listed(self, blobs, call):
        prefix, after = call.query.get("prefix", ""), call.query.get("marker", "")
        found = (shortened(key, prefix, call) for key in blobs if key.startswith(prefix))
        names = sorted({name for name in found if name > after})
        more = names[2] if len(names) > 3 else ""  # so that there are pages
        self.listed += len(names[:3])
        listed = "".join(_entry(name, name in blobs) for name in names[:3])
        said = f"<Prefix>{escape(prefix)}</Prefix><Blobs>{listed}</Blobs>"
        said += f"<NextMarker>{more}</NextMarker>"
        body = f"<EnumerationResults>{said}</EnumerationResults>"
        return Answer(200, body.encode(), {"content-type": "application/xml"})


def _entry(name, blob):
    if not blob:
        return f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>"
    known = f"<Last-Modified>{formatdate(0, usegmt=True)}</Last-Modified><Etag>1</Etag>"
    known += "<BlobType>BlockBlob</BlobType>"
    return f"<Blob><Name>{escape(name)}</Name><Properties>{known}</Properties></Blob>"


def _got(found, call):
    data = found[0]
    if not data:
        return _refused(416, "InvalidRange", {"content-range": "bytes */0"})
    said = {**_headers(found), "content-range": f"bytes 0-{len(data) - 1}/{len(data)}"}
    return Answer(206, data, said)


def _headers(found):
    return {"etag": found[1], "last-modified": formatdate(0, usegmt=True)}


def _refused(code, name, headers=None):
    body = f"<?xml version='1.0'?><Error><Code>{name}</Code><Message>{name}</Message></Error>"
    said = {"x-ms-error-code": name, "content-type": "application/xml", **(headers or {})}
    return Answer(code, body.encode(), said)
