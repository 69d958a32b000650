"""Tells the world outside that the jobs have ended: each kind of signal is one HTTP request.

webhook   a signed CloudEvent (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md)
github    a repository_dispatch (https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event)
object    an object by a pre-signed URL: S3, Google Cloud Storage, Azure Blob
update    an Update{type: destroy} of the Pulumi Kubernetes Operator, in a management cluster
stack     the deletion of its Stack there, whose finalizer destroys

A signal may be told again after a kill, with the same id; what is made has a name by that id.
"""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from colony.agent.client import ApiError, Client, Unreachable
from colony.agent.completion import Record
from colony.agent.signature import signed

__all__ = ["KINDS", "Signal", "Undelivered", "deliver", "event_of", "signal_of"]

TIMEOUT = 10.0
"""Seconds for one request."""
TYPE = "dev.colony.completed"
AUTO = "/apis/auto.pulumi.com/v1alpha1"
STACKS = "/apis/pulumi.com/v1"
PARALLEL = 64
"""Operations of a destroy at once; the operator's default has no bound."""

Object = dict[str, Any]


class Undelivered(Exception):
    """It was not taken: it is tried again."""


@dataclass(frozen=True)
class Signal:
    """Where it goes. `secret` and `ca` are files: read anew each time, since they are renewed."""

    name: str
    kind: str
    secret: Path
    url: str = ""
    repository: str = ""
    namespace: str = ""
    object: str = ""
    ca: Path | None = None


def signal_of(body: Object) -> Signal:
    """From the agent's config. Raises KeyError, TypeError and ValueError."""
    if body["kind"] not in KINDS:
        raise ValueError(f"no signal is of kind {body['kind']}")
    ca = Path(body["ca"]) if body.get("ca") else None
    return Signal(**{**body, "secret": Path(body["secret"]), "ca": ca})


def deliver(signal: Signal, colony: str, record: Record, now: float) -> None:
    """Sends it. Raises Undelivered."""
    try:
        KINDS[signal.kind](signal, colony, record, now)
    except urllib.error.HTTPError as error:
        error.close()
        raise Undelivered(f"answered {error.code}") from None
    except (ApiError, Unreachable, OSError, ValueError) as error:
        raise Undelivered(_said(error)) from None


def event_of(colony: str, record: Record) -> Object:
    """As a CloudEvent."""
    return {
        "specversion": "1.0",
        "id": record.id,
        "source": f"colony/{colony}",
        "type": TYPE,
        "subject": colony,
        "time": datetime.fromtimestamp(record.at, timezone.utc).isoformat(),
        "datacontenttype": "application/json",
        "data": {"colony": colony, **asdict(record)},
    }


def _webhook(signal: Signal, colony: str, record: Record, now: float) -> None:
    body = json.dumps(event_of(colony, record), sort_keys=True).encode()
    headers = signed(_secret(signal), record.id, now, body)
    _request("POST", signal.url, body, {"Content-Type": "application/cloudevents+json", **headers})


def _github(signal: Signal, colony: str, record: Record, now: float) -> None:
    payload = {"event_type": "colony-completed", "client_payload": event_of(colony, record)["data"]}
    url = f"{signal.url or 'https://api.github.com'}/repos/{signal.repository}/dispatches"
    headers = {
        "Authorization": f"Bearer {_secret(signal)}",
        "Accept": "application/vnd.github+json",
        "Content-Type": "application/json",
    }
    _request("POST", url, json.dumps(payload, sort_keys=True).encode(), headers)


def _object(signal: Signal, colony: str, record: Record, now: float) -> None:
    """The URL is the secret. Azure wants to know what kind of blob it is; the others ignore it."""
    body = json.dumps(event_of(colony, record)["data"], sort_keys=True).encode()
    headers = {"Content-Type": "application/json", "x-ms-blob-type": "BlockBlob"}
    _request("PUT", _secret(signal), body, headers)


def _update(signal: Signal, colony: str, record: Record, now: float) -> None:
    """As examples/gitops/operator/end.yaml, but for its name."""
    name = f"{colony}-end-{record.id[:8]}"
    body = {
        "apiVersion": "auto.pulumi.com/v1alpha1",
        "kind": "Update",
        "metadata": {"name": name, "namespace": signal.namespace},
        "spec": {
            "type": "destroy",
            "workspaceName": signal.object,
            "stackName": colony,
            "continueOnError": True,
            "parallel": PARALLEL,
            "runProgram": False,  # nothing in our states needs one to go
            "message": f"the jobs have {record.outcome}",
            "ttlAfterCompleted": "24h",
        },
    }
    with closing(_client(signal)) as client:
        client.create(f"{AUTO}/namespaces/{signal.namespace}/updates", body)


def _stack(signal: Signal, colony: str, record: Record, now: float) -> None:
    with closing(_client(signal)) as client:
        client.delete(f"{STACKS}/namespaces/{signal.namespace}/stacks/{signal.object}")


KINDS: Mapping[str, Callable[[Signal, str, Record, float], None]] = {
    "webhook": _webhook,
    "github": _github,
    "object": _object,
    "update": _update,
    "stack": _stack,
}


def _client(signal: Signal) -> Client:
    return Client(signal.url, signal.ca, signal.secret, TIMEOUT)


def _secret(signal: Signal) -> str:
    return signal.secret.read_text(encoding="utf-8").strip()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is signed for one receiver is not handed on to another."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _request(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    if not url.startswith(("https://", "http://")):
        raise ValueError("the URL is neither https:// nor http://")
    request = urllib.request.Request(url, body, dict(headers), method=method)
    tls = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    opener = urllib.request.build_opener(_NoRedirect, tls)
    with opener.open(request, timeout=TIMEOUT):
        return


def _said(error: Exception) -> str:
    """Never the URL: it may be a secret."""
    if isinstance(error, urllib.error.URLError):
        return f"{type(error.reason).__name__}"
    if isinstance(error, ApiError | Unreachable):
        return str(error)
    return type(error).__name__
