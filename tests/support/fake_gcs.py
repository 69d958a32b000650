"""The part of Google Cloud Storage's JSON API that the official client uses for us."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import datetime, timezone
from email.parser import BytesParser

from loopback import Answer, Service


class FakeGcs(Service):
    """Buckets of objects with generations; preconditions are kept."""

    def __init__(self, *buckets):
        super().__init__()
        self.buckets = {name: {} for name in buckets}
        self.generation = 1_700_000_000
        self.listed = 0

    def answer(self, call):
        head, _, rest = call.path.partition("/storage/v1/b/")
        bucket, _, key = rest.partition("/o")
        key = key.removeprefix("/")
        if bucket not in self.buckets:
            return _refused(404, "The specified bucket does not exist.")
        objects = self.buckets[bucket]
        if call.method == "POST" and head == "/upload":
            return self._upload(objects, call, bucket)
        if call.method == "GET" and head == "" and not key:
            return self._listed(objects, call, bucket)
        if key not in objects:
            return _refused(404, f"No such object: {bucket}/{key}")
        if not _met(call, objects[key]):
            return _refused(412, "At least one of the pre-conditions you specified did not hold.")
        if call.method == "GET" and head == "/download":
            data = objects[key][0]
            digest = base64.b64encode(hashlib.md5(data).digest()).decode()
            return Answer(200, data, {"x-goog-hash": f"md5={digest}"})
        if call.method == "GET" and head == "":
            return _json(_told(bucket, key, objects[key]))
        if call.method == "DELETE" and head == "":
            del objects[key]
            return Answer(204)
        return None

    def _upload(self, objects, call, bucket):
        if call.query.get("uploadType") != "multipart":
            return None
        told, content = _parts(call)
        key = json.loads(told)["name"]
        if not _met(call, objects.get(key)):
            return _refused(412, "At least one of the pre-conditions you specified did not hold.")
        self.generation += 1
        objects[key] = (content, self.generation)
        written = datetime.fromtimestamp(self.now(), timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        return _json({**_told(bucket, key, objects[key]), "updated": written})

    def _listed(self, objects, call, bucket):
        prefix, after = call.query.get("prefix", ""), call.query.get("pageToken", "")
        found = (shortened(key, prefix, call) for key in objects if key.startswith(prefix))
        names = sorted({name for name in found if name > after})
        size = min(3, int(call.query.get("maxResults", 3)))  # so that there are pages
        shown = [name for name in names[:size] if name in objects]
        self.listed += len(names[:size])
        found = {"items": [_told(bucket, key, objects[key]) for key in shown]}
        found["prefixes"] = [name for name in names[:size] if name not in objects]
        return _json(found | ({"nextPageToken": names[size - 1]} if len(names) > size else {}))


def shortened(key, prefix, call):
    """Up to the delimiter after the prefix, where the call names one."""
    delimiter = call.query.get("delimiter")
    head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
    return prefix + head + found if found else key


def _met(call, found):
    """0 asks for nothing to be there."""
    wanted = call.query.get("ifGenerationMatch")
    return wanted is None or int(wanted) == (found[1] if found else 0)


def _parts(call):
    """multipart/related: the metadata, then the content."""
    head = f"Content-Type: {call.headers['content-type']}\r\n\r\n".encode()
    whole = BytesParser().parsebytes(head + call.body)
    return [part.get_payload(decode=True) for part in whole.get_payload()]


def _told(bucket, key, found):
    return {
        "kind": "storage#object", "name": key, "bucket": bucket, "size": str(len(found[0])),
        "generation": str(found[1]), "metageneration": "1",
    }  # fmt: skip


def _json(value):
    return Answer(200, json.dumps(value).encode(), {"content-type": "application/json"})


def _refused(code, message):
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return Answer(code, body, {"content-type": "application/json"})
