"""The SDKs' classes one file at a time.

An SDK's `compute` imports every resource of that service to give one of them: a second of CPU for
pulumi_gcp alone, and as much memory as all else. Its folders are lazy already; here a lazy folder
that was not opened yet becomes one that imports the file of the class it is asked for.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from pulumi import _utils

__all__ = ["slim"]

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_LAZY = _utils._LazyModule
_LAZILY: Callable[[str], Any] = _utils.lazy_import


def slim() -> None:
    """Makes the lazy folders of the SDKs that are imported so far give class by class."""
    for module in list(sys.modules.values()):
        if type(module) is _LAZY and "__path__" in module.__dict__:
            object.__setattr__(module, "__class__", _Folder)


class _Folder(ModuleType):
    """A folder of an SDK. What has no file of its own needs the whole folder, as ever."""

    def __getattr__(self, name: str) -> Any:
        if name == "outputs":  # read only where an output is an object
            found = _LAZILY(f"{self.__name__}.{name}")
        elif file := _file(self, name):
            found = getattr(importlib.import_module(f"{self.__name__}.{file}"), name)
        else:
            return _whole(self, name)
        setattr(self, name, found)
        return found


def _file(folder: ModuleType, name: str) -> str | None:
    """`RouteTable` is in route_table.py, or RouteTable.py with pulumi_kubernetes; `get_ami_output`
    in get_ami.py."""
    if not (name[:1].isupper() or name.startswith("get_")):
        return None
    names = (name, _WORDS.sub("_", name).lower(), name.removesuffix("_output"))
    here = Path(folder.__path__[0])
    return next((each for each in names if Path(here, f"{each}.py").is_file()), None)


def _whole(folder: ModuleType, name: str) -> Any:
    folder.__class__ = ModuleType
    spec = folder.__spec__
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(folder)
    slim()
    return getattr(folder, name)
