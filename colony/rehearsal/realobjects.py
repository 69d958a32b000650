"""Objects of a real API server: waited for, deleted, told apart from others of their name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from colony.kubeapi import ApiRefused, KubeApi, Resource, Unreachable
from colony.rehearsal import readiness
from colony.rehearsal.calls import Call, Refusal
from colony.rehearsal.marks import MARK
from colony.rehearsal.objects import group_of, said

__all__ = ["Object", "RealObjects", "refusing", "uid_of"]

LONGEST_PAUSE = 1.0
FORGET = 30.0
"""Seconds that controllers get to finish before a deleted cluster's finalizers are dropped."""
GONE = 60.0
"""Seconds until what nothing holds any more has gone."""

Object = dict[str, Any]


class RealObjects:
    """What the second store does to single objects."""

    def __init__(self, api: KubeApi) -> None:
        self.api = api

    def ready(self, resource: Resource, made: Object, call: Call) -> Object:
        """The object once it is ready. Raises Refusal after its deadline."""
        if not readiness.awaited(made):
            return made
        seconds = readiness.deadline(made, call.timeout)
        latest = [made]

        def ready() -> bool:
            latest[0] = self.get(resource, made) or {}
            if uid_of(latest[0]) != uid_of(made):
                raise Refusal("NotFound", said(made, "was deleted while it was waited for"))
            return not readiness.missing(latest[0])

        if not _until(ready, seconds, call.config.stopped):
            what = said(made, f"is not ready after {seconds:.0f} s")
            raise Refusal("Timeout", f"{what}: {readiness.missing(latest[0])}")
        return latest[0]

    def remove(self, obj: Object, namespace: str, mark: str, call: Call) -> None:
        """Deletes it and waits until it is gone. Raises Refusal where something holds it."""
        resource = self.resource(obj)
        if resource is None:
            return  # its definition is gone, and it with it
        place = {**obj, "metadata": {**obj["metadata"], "namespace": namespace or None}}
        if not uid_of(place) and not self._is_marked(resource, place, mark):
            return  # whose it is cannot be told
        wanted = readiness.annotation(obj, "deletionPropagationPolicy") or "foreground"
        self.delete(resource, place, wanted.capitalize())
        if not readiness.deletion_awaited(obj):
            return
        seconds = readiness.deadline(obj, call.timeout, "deletion")
        gone = _until(lambda: self.same(resource, place) is None, seconds, call.config.stopped)
        if not gone:
            left = self.same(resource, place) or {}
            what = said(place, f"is still there after {seconds:.0f} s")
            raise Refusal("Timeout", f"{what}: {readiness.holders(left)}")

    def marked(self, mark: str) -> Iterator[tuple[Resource, Object]]:
        """Everything with that label, of whatever kind."""
        selector = f"{MARK}={mark}"
        for resource in self.api.resources():
            for obj in self.api.listed(resource, selector=selector):
                yield resource, obj

    def clear(self, group: list[tuple[Resource, Object]], stopped: threading.Event) -> None:
        """Where a finalizer holds something for long it is dropped: nobody would be left to take
        it off."""
        for resource, obj in group:
            self.delete(resource, obj, "Foreground")
        _until(lambda: not self._left(group), FORGET, stopped)
        for resource, obj in self._left(group):
            self._drop_finalizers(resource, obj)
        _until(lambda: not self._left(group), GONE, stopped)

    def _left(self, group: list[tuple[Resource, Object]]) -> list[tuple[Resource, Object]]:
        return [(each, obj) for each, obj in group if self.same(each, obj) is not None]

    def _is_marked(self, resource: Resource, obj: Object, mark: str) -> bool:
        found = self.get(resource, obj) or {"metadata": {}}
        return bool((found["metadata"].get("labels") or {}).get(MARK) == mark)

    def _drop_finalizers(self, resource: Resource, obj: Object) -> None:
        place = obj["metadata"]
        change = {"metadata": {"uid": place["uid"], "finalizers": None}}
        try:
            self.api.merge(resource, place.get("namespace"), place["name"], change)
        except ApiRefused as refused:
            if refused.code not in (404, 409):
                raise

    def same(self, resource: Resource, obj: Object) -> Object | None:
        """The object as it is now; None where it, not its name, is gone."""
        found = self.get(resource, obj)
        return found if found and uid_of(obj) in ("", uid_of(found)) else None

    def get(self, resource: Resource, obj: Object) -> Object | None:
        metadata = obj["metadata"]
        return self.api.get(resource, metadata.get("namespace"), metadata["name"])

    def delete(self, resource: Resource, obj: Object, propagation: str) -> None:
        metadata = obj["metadata"]
        namespace, name = metadata.get("namespace"), metadata["name"]
        self.api.delete(resource, namespace, name, uid=uid_of(obj), propagation=propagation)

    def resource(self, obj: Mapping[str, Any]) -> Resource | None:
        return self.api.resource(str(obj.get("apiVersion")), str(obj.get("kind")))

    def resource_of(self, obj: Mapping[str, Any]) -> Resource:
        if resource := self.resource(obj):
            return resource
        kind, version = obj.get("kind"), obj.get("apiVersion")
        hint = (
            f"install the definitions of {group_of(obj)} in the cluster: releases are recorded only"
        )
        raise Refusal("NoMatch", f'no matches for kind "{kind}" in version "{version}" ({hint})')


@contextmanager
def refusing(obj: Mapping[str, Any]) -> Iterator[None]:
    """The API server's no, in its words; a conflict also says whose fields they are."""
    try:
        yield
    except ApiRefused as refused:
        raise Refusal(refused.reason, _explained(obj, refused)) from None
    except Unreachable as error:
        raise Refusal(
            "Unreachable", f"configured Kubernetes cluster is unreachable: {error}"
        ) from None


def _until(done: Callable[[], bool], seconds: float, stopped: threading.Event) -> bool:
    """Asks ever less often. Raises Refusal when the engine is stopped."""
    limit, pause = time.monotonic() + seconds, 0.05
    while not done():
        if time.monotonic() > limit:
            return False
        if stopped.wait(pause):
            raise Refusal("Cancelled", "stopped while waiting for the API server")
        pause = min(pause * 1.5, LONGEST_PAUSE)
    return True


def _explained(obj: Mapping[str, Any], refused: ApiRefused) -> str:
    causes = refused.details.get("causes") or []
    owned = [each for each in causes if each.get("reason") == "FieldManagerConflict"]
    if not owned:
        return str(refused)
    fields = ", ".join(f"{each.get('field')} ({each.get('message')})" for each in owned)
    hint = 'leave them out, or take them over with the annotation pulumi.com/patchForce: "true"'
    return said(obj, f"has fields that another manager owns: {fields}; {hint}")


def uid_of(obj: Mapping[str, Any]) -> str:
    return str((obj.get("metadata") or {}).get("uid") or "")
