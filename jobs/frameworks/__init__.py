"""Frameworks: what each fills in of a job, and the rendezvous it gives to its pods.

complete     a job as written -> the same job with every role and every default said
shared_env   the rendezvous, the same in every pod of a role
pod_env      what differs from pod to pod: values with `{index}` (in the role), `{node}` (rank of
             the pod in its world), `{rank}` (of its first process), `{host}` (its own name) and
             `{home}` (its writable folder); a name `NAME@2` is for pod 2 alone
files        absolute path -> text, written by the entry point
before       a script that runs before the user's `run`
"""

from __future__ import annotations

from jobs.errors import InputError
from jobs.frameworks.bagua import Bagua
from jobs.frameworks.base import Rules
from jobs.frameworks.checks import check, check_roles
from jobs.frameworks.completion import fill, with_roles
from jobs.frameworks.custom import Custom
from jobs.frameworks.dask import Dask
from jobs.frameworks.deepspeed import DeepSpeed
from jobs.frameworks.horovod import Horovod
from jobs.frameworks.membership import team_of
from jobs.frameworks.mpi import MpiRules
from jobs.frameworks.pytorch import PyTorch
from jobs.frameworks.ray import Ray
from jobs.frameworks.sizes import check_sizes
from jobs.frameworks.standalone import Standalone
from jobs.frameworks.team import Team
from jobs.frameworks.tensorflow import TensorFlow
from jobs.member import Member
from jobs.pairs import pair_problems
from jobs.spec import Framework, Job, Launch

__all__ = [
    "before", "complete", "files", "needs_exec", "pod_env", "rules_of", "shared_env", "team",
]  # fmt: skip

_RULES: dict[Framework, Rules] = {
    Framework.PYTORCH: PyTorch(),
    Framework.TENSORFLOW: TensorFlow(),
    Framework.MPI: MpiRules(),
    Framework.HOROVOD: Horovod(),
    Framework.BAGUA: Bagua(),
    Framework.DASK: Dask(),
    Framework.RAY: Ray(),
    Framework.DEEPSPEED: DeepSpeed(),
    Framework.CUSTOM: Custom(),
    Framework.STANDALONE: Standalone(),
}


def rules_of(framework: Framework) -> Rules:
    """The rules of a framework."""
    return _RULES[framework]


def complete(job: Job) -> Job:
    """The job with every role named and every default said. Idempotent.

    Raises InputError with the path of all that does not fit together.
    """
    rules = rules_of(job.framework)
    named = with_roles(job, rules)
    problems = [*pair_problems(job), *check_roles(named, rules)]
    if not problems:
        named = fill(named, rules)
        problems = [*check(named), *check_sizes(team_of(named, rules))]
    if problems:
        raise InputError(*problems)
    return named


def team(job: Job) -> Team:
    """All members of a job. Raises InputError like `complete`."""
    return team_of(complete(job), rules_of(job.framework))


def shared_env(job: Job, role: Member) -> dict[str, str]:
    """What the framework tells every pod of a role."""
    return rules_of(job.framework).shared(team(job), role)


def pod_env(job: Job, role: Member) -> dict[str, str]:
    """What the framework tells each pod of a role; what the user set is left out."""
    given = {*role.envs, *job.secrets}
    values = rules_of(job.framework).pod(team(job), role)
    return {name: value for name, value in values.items() if name.partition("@")[0] not in given}


def files(job: Job, role: Member) -> dict[str, str]:
    """Absolute path -> text."""
    return rules_of(job.framework).files(team(job), role)


def before(job: Job, role: Member) -> str | None:
    """A script that runs before the user's."""
    return rules_of(job.framework).before(team(job), role)


def needs_exec(job: Job) -> bool:
    """Whether the launcher starts processes by `kubectl exec`.

    Its pod then needs a service account that may `get` and `list` pods and `create` pods/exec.
    """
    launchers = (Framework.MPI, Framework.HOROVOD, Framework.DEEPSPEED)
    return job.framework in launchers and job.mpi.launch is Launch.KUBECTL
