"""Who is told that the jobs have ended. Plain values; secrets are named, never given."""

from __future__ import annotations

import re
from enum import Enum

from pydantic import field_validator, model_validator

from jobs.errors import Problem
from jobs.model import Strict
from jobs.names import check_name
from jobs.problems import refuse

__all__ = ["Signal", "SignalKind"]

_SECRET = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?/[-._a-zA-Z0-9]+")
_REPOSITORY = re.compile(r"[-\w.]+/[-\w.]+")


class SignalKind(str, Enum):
    """What is done."""

    WEBHOOK = "webhook"
    """A CloudEvent to `url`, signed with the secret."""
    GITHUB = "github"
    """A repository_dispatch in `repository`; the secret is a token."""
    OBJECT = "object"
    """An object in a bucket; the secret is a pre-signed URL that takes it."""
    UPDATE = "update"
    """An Update{type: destroy} of the Pulumi Kubernetes Operator at the API server `url`, for the
    Workspace `namespace`/`object`; the secret is a token."""
    STACK = "stack"
    """The Stack `namespace`/`object` is deleted there; its `destroyOnFinalize` does the rest."""


NEEDS = {
    SignalKind.WEBHOOK: ("url",),
    SignalKind.GITHUB: ("repository",),
    SignalKind.OBJECT: (),
    SignalKind.UPDATE: ("url", "namespace", "object"),
    SignalKind.STACK: ("url", "namespace", "object"),
}
TAKES = {SignalKind.GITHUB: ("url",), SignalKind.UPDATE: ("ca",), SignalKind.STACK: ("ca",)}


class Signal(Strict):
    """One signal."""

    name: str
    """Sets it apart from others."""
    kind: SignalKind
    """webhook, github, object, update or stack."""
    secret: str
    """NAME/KEY of a Secret beside the agent: in the namespace of the first job."""
    url: str = ""
    """Of the receiver, or the API server."""
    repository: str = ""
    """OWNER/NAME."""
    namespace: str = ""
    """In the management cluster."""
    object: str = ""
    """The name of the Workspace or Stack there."""
    ca: str = ""
    """NAME/KEY of a Secret: the authority of that API server; absent = a public one."""

    _name = field_validator("name")(check_name)

    @model_validator(mode="after")
    def _whole(self) -> Signal:
        problems = []
        needed, taken = NEEDS[self.kind], TAKES.get(self.kind, ())
        for key in ("url", "repository", "namespace", "object", "ca"):
            if key in needed and not getattr(self, key):
                problems.append(
                    Problem(key, f"missing: a signal of kind {self.kind.value} needs it")
                )
            elif getattr(self, key) and key not in (*needed, *taken):
                problems.append(Problem(key, f"has no meaning for kind {self.kind.value}"))
        for key in ("secret", "ca"):
            if (text := getattr(self, key)) and not _SECRET.fullmatch(text):
                hint = "write NAME/KEY of a Secret; the value itself does not belong in a file"
                problems.append(Problem(key, "is no reference to a Secret", hint))
        if self.url and not re.match(r"https://[^/\s]+", self.url):
            problems.append(Problem("url", "is not https://"))
        if self.repository and not _REPOSITORY.fullmatch(self.repository):
            problems.append(Problem("repository", "is not OWNER/NAME"))
        if problems:
            raise refuse(*problems)
        return self
