"""One cluster's failure stays its own, on the engine as it is.

`pulumi up --continue-on-error` skips what needs something that failed. But before it skips a
resource it checks its inputs, and gives up on the whole program where one is missing that is
required, where a provider was skipped (nothing that uses it can be registered then), or where a
component was. So inside a cluster, while an `up` runs:

* a value that will not come is replaced by one that no cloud knows. What has it is skipped; and
  what is there already keeps the value that it has;
* the Kubernetes provider depends on nothing. It is never configured while its cluster is not there;
* a component depends on nothing.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import pulumi

from components.kubeconfig import NOWHERE

__all__ = ["contained", "count_of", "known_of"]

REFUSED = "refused"
SHAPES = {
    "arn": f"arn:aws:iam::000000000000:role/{REFUSED}",
    "member": f"serviceAccount:{REFUSED}@{REFUSED}.iam.gserviceaccount.com",
}
"""By the end of a property's name, for values that SDKs check the form of."""
KUBERNETES = "pulumi:providers:kubernetes"


def contained(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """Options of a cluster's component: what fails in it stops nothing outside."""
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(transformations=[_contain]))


def known_of(values: Mapping[str, pulumi.Input[Any]]) -> pulumi.Output[dict[str, Any]]:
    """In an `up` those that came, by name; in a preview it is known only as a whole."""
    outputs = {name: pulumi.Output.from_input(value) for name, value in values.items()}

    async def came() -> dict[str, Any]:
        return {
            name: await output.future() for name, output in outputs.items() if await known(output)
        }

    async def known(output: pulumi.Output[Any]) -> bool:
        return await output.is_known()

    async def all_known() -> bool:
        return not pulumi.runtime.is_dry_run() or all([await known(o) for o in outputs.values()])

    async def any_secret() -> bool:
        return any([await output.is_secret() for output in outputs.values()])

    async def resources() -> set[pulumi.Resource]:
        return {each for output in outputs.values() for each in await output.resources()}

    return pulumi.Output(_task(resources()), _task(came()), _task(all_known()), _task(any_secret()))


def count_of(resources: Sequence[pulumi.Resource]) -> pulumi.Output[int]:
    """How many these are, once all of them are there. Custom resources, no components."""
    made = [each.id for each in resources if isinstance(each, pulumi.CustomResource)]
    return pulumi.Output.all(*made).apply(len)


def _contain(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult | None:
    if args.type_.startswith("colony:"):
        return None
    opts = copy.copy(args.opts)
    # The list is read when all inputs have come, so that what did not come can be added.
    kept = opts.ignore_changes = list(opts.ignore_changes or [])
    wrap = _detached if args.type_ == KUBERNETES else _steady
    props = {key: _each(value, wrap(key, args.props, kept)) for key, value in args.props.items()}
    return pulumi.ResourceTransformationResult(props, opts)


Props = Mapping[str, Any]
Wrap = Callable[[pulumi.Output[Any]], pulumi.Output[Any]]


def _steady(key: str, props: Props, kept: list[str]) -> Wrap:
    """With a value that stands for what did not come."""
    stand_in = next((text for end, text in SHAPES.items() if key.endswith(end)), REFUSED)

    def wrap(output: pulumi.Output[Any]) -> pulumi.Output[Any]:
        return _or_else(output, stand_in, output.resources(), lambda: kept.append(key))

    return wrap


def _detached(key: str, props: Props, kept: list[str]) -> Wrap:
    """Of a provider: known enough to be compared later, and not enough to be configured now. The
    identifier, which may be known beforehand, is so only with the kubeconfig."""

    def wrap(output: pulumi.Output[Any]) -> pulumi.Output[Any]:
        if key == "kubeconfig":
            return _or_else(output, NOWHERE, set(), lambda: kept.append(key))
        both = pulumi.Output.all(output, props.get("kubeconfig")).apply(lambda known: known[0])
        return _or_else(both, None, set(), lambda: kept.append(key), output.is_secret())

    return wrap


def _or_else(
    output: pulumi.Output[Any],
    stand_in: str | None,
    resources: Awaitable[set[pulumi.Resource]] | set[pulumi.Resource],
    missed: Callable[[], None],
    secret: Awaitable[bool] | None = None,
) -> pulumi.Output[Any]:
    """The same value; in an `up` `stand_in` for one that will not come (None = it stays unknown).
    In a preview nothing is missed: values that come later are unknown there."""

    async def value() -> Any:
        if await output.is_known():
            return await output.future()
        if not pulumi.runtime.is_dry_run():
            missed()
        return stand_in

    async def known() -> bool:
        if await output.is_known():
            return True
        return stand_in is not None and not pulumi.runtime.is_dry_run()

    return pulumi.Output(resources, _task(value()), _task(known()), secret or output.is_secret())


def _each(value: Any, wrap: Wrap) -> Any:
    """The same structure, each Output in it wrapped."""
    if isinstance(value, pulumi.Output):
        return wrap(value)
    if isinstance(value, dict):
        return {key: _each(item, wrap) for key, item in value.items()}
    if isinstance(value, list):
        return [_each(item, wrap) for item in value]
    return value


def _task(coroutine: Coroutine[Any, Any, Any]) -> Awaitable[Any]:
    return asyncio.ensure_future(coroutine)
