"""Every error Colony raises on purpose.

ColonyError                 exit code
├── InputError              2    the file or an argument is wrong; nothing was changed
│   └── NotSupported        2    understood, but not built: refused by name, never ignored
├── NoOffer                 2    no offer matches the request
├── NotReady                3    this machine lacks something; `colony doctor` says what
├── RunFailed               1    the job or the provisioning failed
│   ├── ProvisioningFailed  1    a cloud refused or lost a resource
│   ├── StackLocked         1    somebody else is at work on the stack
│   ├── ApiRefused          1    a Kubernetes API server's no (colony/kubeapi.py)
│   ├── ChartMissing        1    a chart's repository has no such version (colony/charting/store.py)
│   ├── CliFailed           1    one call of the Pulumi CLI (colony/command.py)
│   └── Refused             1    a simulated cloud's no (colony/rehearsal/link.py)
├── Unreachable             1    an API server does not answer (colony/kubeapi.py)
└── Cancelled               130  stopped by the user, and clean

Exit code 4, something is or may be left: the receipt says it, or `Unproven` where the backend has
stopped answering (colony/storage/base.py).
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Cancelled",
    "ColonyError",
    "InputError",
    "NoOffer",
    "NotReady",
    "NotSupported",
    "Problem",
    "ProvisioningFailed",
    "RunFailed",
    "StackLocked",
]


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where (`resources.accelerators`), what, and what to do about it."""

    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{hint}"


class ColonyError(Exception):
    """Base of all: `exit_code` is what the command line ends with."""

    exit_code = 1


class InputError(ColonyError):
    """The input is wrong. Holds one or more problems, and the file where it is known."""

    exit_code = 2

    def __init__(self, *problems: Problem | str, file: str = "") -> None:
        self.problems = [p if isinstance(p, Problem) else Problem("", p) for p in problems]
        self.file = file
        super().__init__("\n".join(str(problem) for problem in self.problems))


class NotSupported(InputError):
    """Valid, but not built yet (or never): named, so that nothing is dropped in silence."""


class NoOffer(ColonyError):
    """No offer matches: `refused` says which constraint refused how many, with near matches."""

    exit_code = 2

    def __init__(self, message: str, refused: list[dict[str, object]] | None = None) -> None:
        self.refused = refused or []
        super().__init__(message)


class NotReady(ColonyError):
    """The environment lacks something: a CLI, a credential, a package."""

    exit_code = 3


class RunFailed(ColonyError):
    """The job, or the run around it, failed."""


class ProvisioningFailed(RunFailed):
    """`up` failed: `failures` maps the URN to the provider's own words."""

    def __init__(self, message: str, failures: dict[str, str] | None = None) -> None:
        self.failures = failures or {}
        super().__init__(message)


class StackLocked(RunFailed):
    """Another update holds the stack's lock, or one that died left it."""


class Cancelled(ColonyError):
    """The user stopped it, and everything is gone."""

    exit_code = 130
