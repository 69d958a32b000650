"""What must not go together in a cluster, told before anything is made. Pure: no pulumi.

Every rule looks at one cluster: its facts, its pools, its jobs, and its layers with their final
values. An error refuses; a warning is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from components.checks import devices, drivers, owners, versions
from components.checks.cluster import Cluster
from jobs.errors import InputError, Problem

__all__ = ["Cluster", "errors", "refuse_errors", "warnings"]

_Rule = Callable[[Cluster], Iterator[Problem]]
_ERRORS: list[_Rule] = [
    drivers.rdma_without_policy,
    drivers.driver_twice,
    drivers.no_quota,
    drivers.k3s_socket,
    devices.efa_count,
    devices.no_plugin,
    devices.mig_profile,
    devices.wrong_processor,
    devices.unserved,
    owners.two_schedulers,
    owners.two_owners,
    owners.orphans,
    owners.pods_unqueued,
    versions.dra_too_early,
    versions.unplaced,
]
_WARNINGS: list[_Rule] = [versions.untested_version, versions.unpinned_override]


def errors(cluster: Cluster) -> list[Problem]:
    """What would hang, break or fight."""
    return [problem for rule in _ERRORS for problem in rule(cluster)]


def warnings(cluster: Cluster) -> list[Problem]:
    """What may go well, and nobody vouches for."""
    return [problem for rule in _WARNINGS for problem in rule(cluster)]


def refuse_errors(cluster: Cluster) -> None:
    """InputError with every error."""
    found = errors(cluster)
    if found:
        raise InputError(*found)
