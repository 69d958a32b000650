"""What Helm writes of a release into its cluster: a Secret a revision.
https://helm.sh/docs/topics/advanced/#storage-backends
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any

from colony.kubeapi import Resource

__all__ = ["SECRETS", "opened"]

SECRETS = Resource("v1", "Secret", "secrets", True)


def opened(secret: Mapping[str, Any]) -> dict[str, Any]:
    """JSON, packed, in base64, in a Secret's base64: chart, values, manifest."""
    packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
    content: dict[str, Any] = json.loads(gzip.decompress(packed))
    return content
