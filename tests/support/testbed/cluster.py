"""What tests ask of a cluster: its API, and waiting for what becomes of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import yaml

from testbed.api import Api, Object

__all__ = ["Cluster", "Late", "Object", "has"]

T = TypeVar("T")
WAIT = 60.0
POLL = 0.1


class Late(AssertionError):
    """What a test waited for did not happen in time."""


class Cluster(Api):
    """A cluster by its kubeconfig. Kinds are written with their version: `batch/v1/Job`."""

    def wait(
        self, what: Callable[[], T], seconds: float = WAIT, message: str = "what was waited for"
    ) -> T:
        """The first true answer. Raises Late with the last one."""
        deadline = time.monotonic() + seconds
        while not (answer := what()):
            if time.monotonic() > deadline:
                raise Late(f"{message}: not after {seconds:.0f} s; last: {answer!r}")
            time.sleep(POLL)
        return answer

    def wait_for(
        self,
        kind: str,
        name: str,
        is_so: Callable[[Object], object],
        namespace: str | None = None,
        seconds: float = WAIT,
    ) -> Object:
        """The object once `is_so`. Raises Late with its status and its namespace's events."""
        deadline = time.monotonic() + seconds
        while not ((found := self.get(kind, name, namespace)) and is_so(found)):
            if time.monotonic() > deadline:
                raise Late(self._story(kind, name, namespace, found, seconds))
            time.sleep(POLL)
        return found

    def condition(
        self,
        kind: str,
        name: str,
        condition: str,
        namespace: str | None = None,
        seconds: float = WAIT,
    ) -> Object:
        """The object once that condition of its status is True."""
        return self.wait_for(kind, name, lambda each: has(each, condition), namespace, seconds)

    def assert_gone(
        self, kind: str, name: str, namespace: str | None = None, seconds: float = WAIT
    ) -> None:
        """Waits for the end of a deletion. Raises Late with the finalizers that hold it."""

        def is_gone() -> bool:
            return self.get(kind, name, namespace) is None

        try:
            self.wait(is_gone, seconds)
        except Late:
            left = self.get(kind, name, namespace) or {"metadata": {}}
            held = left["metadata"].get("finalizers")
            raise Late(f"{kind} {name} is still there; finalizers: {held}") from None

    def assert_empty(self, namespace: str, seconds: float = WAIT) -> None:
        """Waits until nothing is left in a namespace. Raises Late with what is."""
        deadline = time.monotonic() + seconds
        while left := self.leftovers(namespace):
            if time.monotonic() > deadline:
                raise Late(f"left in {namespace} after {seconds:.0f} s: {', '.join(left)}")
            time.sleep(POLL * 5)

    @contextmanager
    def applied(self, *manifests: Object) -> Iterator[None]:
        """Objects that are deleted again, the last first."""
        self.apply(*manifests)
        try:
            yield
        finally:
            for each in reversed(manifests):
                kind = f"{each['apiVersion']}/{each['kind']}"
                self.delete(kind, each["metadata"]["name"], each["metadata"].get("namespace"))

    @contextmanager
    def namespace(
        self, prefix: str = "test", labels: Mapping[str, str] | None = None
    ) -> Iterator[str]:
        """A namespace of its own, with its default service account; its deletion is asked for."""
        name = f"{prefix[:40]}-{uuid.uuid4().hex[:8]}"
        metadata: Object = {"name": name, "labels": dict(labels or {})}
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        try:
            self.wait(
                lambda: self.get("v1/ServiceAccount", "default", name),
                message=f"the default service account of {name}",
            )
            yield name
        finally:
            self.delete("v1/Namespace", name)

    def _story(
        self, kind: str, name: str, namespace: str | None, found: Object | None, seconds: float
    ) -> str:
        state = yaml.safe_dump(found.get("status")) if found else "it is not there\n"
        events = [
            f"  {each['involvedObject'].get('kind')} {each['involvedObject'].get('name')}: "
            f"{each.get('reason')}: {each.get('message')}"
            for each in (self.list("v1/Event", namespace) if namespace else [])
        ]
        return f"{kind} {name} after {seconds:.0f} s:\n{state}events:\n" + "\n".join(events[-20:])


def has(found: Object, condition: str) -> bool:
    """Whether an object's status holds that condition as True."""
    conditions = (found.get("status") or {}).get("conditions") or []
    return any(each["type"] == condition and each["status"] == "True" for each in conditions)
