"""Pulumi's Automation API, less the calls that Colony does not need.

Each call of the CLI costs a quarter of a second, and the SDK makes two or three more around every
`up`. Selecting a stack would also change which stack the user's own shell has selected. Imports
pulumi: only `colony.engine` imports this module, and only when an engine is used.
"""

from __future__ import annotations

import gc
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone

import pulumi
from pulumi import automation
from pulumi.automation._stack import StackInitMode

__all__ = ["Stack", "Workspace"]

# When the engine is gone, the program's own last words to it fail: the SDK's server logs that.
logging.getLogger("grpc._server").setLevel(logging.CRITICAL)

# A refused resource leaves what was asked of its outputs unanswered: of no use to a user.
warnings.filterwarnings("ignore", r"coroutine 'Output\.", RuntimeWarning)

# Some ten calls to the engine for each resource, which shows them to nobody: it has no --debug.
pulumi.log.debug = lambda *_, **__: None


class Workspace(automation.LocalWorkspace):
    """A workspace that never selects: every command names its stack."""

    def select_stack(self, stack_name: str) -> None:
        """Nothing to do; `Engine.select` makes the stack where it is missing."""


class Stack(automation.Stack):
    """A stack whose operations run one CLI command each."""

    @classmethod
    def attach(cls, name: str, workspace: Workspace) -> Stack:
        """The SDK's own `select` makes a plain `Stack`, whatever class it is called on."""
        return cls(name, workspace, StackInitMode.SELECT)

    def outputs(self) -> dict[str, automation.OutputValue]:
        """Read by `Engine.outputs` when they are wanted."""
        return {}

    def info(self, show_secrets: bool = True) -> automation.UpdateSummary:
        """The engine's own summary event says more, and costs nothing."""
        return automation.UpdateSummary(
            kind="update",
            start_time=datetime.now(timezone.utc),
            message="",
            environment={},
            config={},
            result="succeeded",
        )


@contextmanager
def quiet_failure() -> Iterator[None]:
    """Buries what the SDK leaves of a program whose engine failed, was stopped or was killed.

    It leaves an open event loop and a coroutine that was never finished. Whenever they are
    collected, which may be when the error is long forgotten, Python prints a traceback of the SDK's
    own clean-up, which tells a user nothing.
    """
    try:
        yield
    except BaseException:
        if sys.unraisablehook is not _unless_unfinished:
            _hooks.append(sys.unraisablehook)
            sys.unraisablehook = _unless_unfinished
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()
        raise


_hooks: list[Callable[[sys.UnraisableHookArgs], object]] = []
"""The last is the one that was there before ours."""


def _unless_unfinished(unraisable: sys.UnraisableHookArgs) -> None:
    if getattr(unraisable.object, "__name__", "") != "run_in_stack":
        _hooks[-1](unraisable)
