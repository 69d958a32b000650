"""Pulumi's provider protocol for one simulated package.

Translates between the wire and `colony.rehearsal.simulation`. A call belongs to the provider
instance that was configured on its connection, so the peer's address names the configuration.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from threading import Thread
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from colony.rehearsal import schema
from colony.rehearsal.calls import Call, Config, Refusal, Result
from colony.rehearsal.diffing import Difference, differences
from colony.rehearsal.package import Package
from colony.rehearsal.schema import Failure
from colony.rehearsal.simulation import Simulation
from colony.rehearsal.templates import lookup
from colony.rehearsal.wire import decode, encode, plain

__all__ = ["Provider"]

KIND = pb.PropertyDiff.Kind
KINDS = {
    ("add", False): KIND.ADD, ("add", True): KIND.ADD_REPLACE,
    ("delete", False): KIND.DELETE, ("delete", True): KIND.DELETE_REPLACE,
    ("update", False): KIND.UPDATE, ("update", True): KIND.UPDATE_REPLACE,
}  # fmt: skip


class Provider(ResourceProviderServicer):
    """One package of one world."""

    def __init__(self, package: Package, simulation: Simulation) -> None:
        self.package, self.simulation = package, simulation
        self._configs: dict[str, Config] = {}
        self._loading: Thread | None = None

    def Handshake(self, request: Any, context: Any) -> pb.ProviderHandshakeResponse:
        if self._loading is None:
            self._loading = Thread(target=self._load, daemon=True)
            self._loading.start()
        return pb.ProviderHandshakeResponse(accept_secrets=True)

    def Attach(self, request: Any, context: Any) -> Empty:
        return Empty()

    def Cancel(self, request: Any, context: Any) -> Empty:
        if config := self._configs.get(context.peer()):
            config.stopped.set()
        return Empty()

    def GetPluginInfo(self, request: Any, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=self.package.sdk_version or "0.0.0")

    def CheckConfig(self, request: Any, context: Any) -> pb.CheckResponse:
        failures = schema.check_config(self.package.package, plain(request.news))
        return pb.CheckResponse(inputs=request.news, failures=_failures(failures))

    def DiffConfig(self, request: Any, context: Any) -> pb.DiffResponse:
        old = _known(plain(request.old_inputs) or plain(request.olds))
        new = _known(plain(request.news))
        return _diff(differences(old, new, self._replaced_by(old, new)), False)

    def Configure(self, request: Any, context: Any) -> pb.ConfigureResponse:
        values = {key: _loaded(value) for key, value in plain(request.args).items()}
        tags = lookup(values, self.package.default_tags_input) or {}
        region = values.get(self.package.region_input) or self.package.default_region
        self._configs[context.peer()] = Config(region, tags, values)
        return pb.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request: Any, context: Any) -> pb.CheckResponse:
        config = self._configs.get(context.peer(), Config(self.package.default_region))
        call = self._call("check", request, request.news, config, olds=plain(request.olds))
        inputs, failures = self.simulation.check(call)
        return pb.CheckResponse(inputs=encode(inputs, call.secrets), failures=_failures(failures))

    def Diff(self, request: Any, context: Any) -> pb.DiffResponse:
        call = self._call("diff", request, request.news, self._config(context))
        try:
            found, deletes_first = self.simulation.diff(call, plain(request.old_inputs))
        except Refusal as refused:
            _abort(context, refused)
        return _diff(found, deletes_first)

    def Create(self, request: Any, context: Any) -> pb.CreateResponse:
        call = self._call("create", request, request.properties, self._config(context), olds={})
        if request.preview:
            return pb.CreateResponse(properties=encode(self.simulation.preview(call), call.secrets))
        result = self._perform(call, context)
        return pb.CreateResponse(id=result.id, properties=encode(result.outputs, result.secrets))

    def Update(self, request: Any, context: Any) -> pb.UpdateResponse:
        call = self._call("update", request, request.news, self._config(context))
        if request.preview:
            return pb.UpdateResponse(properties=encode(self.simulation.preview(call), call.secrets))
        result = self._perform(call, context)
        return pb.UpdateResponse(properties=encode(result.outputs, result.secrets))

    def Delete(self, request: Any, context: Any) -> Empty:
        olds = plain(request.properties)
        call = self._call("delete", request, request.old_inputs, self._config(context), olds=olds)
        self._perform(call, context)
        return Empty()

    def Read(self, request: Any, context: Any) -> pb.ReadResponse:
        olds, secrets = decode(request.properties)
        call = self._call("read", request, request.inputs, self._config(context), olds=olds)
        try:
            found = self.simulation.read(call)
        except Refusal as refused:
            _abort(context, refused)
        if found is None:
            return pb.ReadResponse()
        inputs, outputs = found
        return pb.ReadResponse(
            id=request.id, properties=encode(outputs, secrets), inputs=encode(inputs, call.secrets)
        )

    def Invoke(self, request: Any, context: Any) -> pb.InvokeResponse:
        region = self._config(context).region
        try:
            found = self.simulation.invoke(self.package, request.tok, plain(request.args), region)
        except Refusal as refused:
            _abort(context, refused)
        return pb.InvokeResponse(**{"return": encode(found)})

    def _load(self) -> None:
        """A program of this package has begun; meanwhile it imports the same itself."""
        for token in self.package.preload or self.package.types:
            schema.knows(token)

    def _perform(self, call: Call, context: Any) -> Result:
        try:
            return self.simulation.perform(call)
        except Refusal as refused:
            _abort(context, refused, call)

    def _call(
        self, op: str, request: Any, inputs: Any, config: Config, olds: dict[str, Any] | None = None
    ) -> Call:
        values, secrets = decode(inputs)
        urn = request.urn
        return Call(
            op=op, package=self.package, type=urn.split("::")[2].split("$")[-1], urn=urn,
            name=urn.split("::")[3], inputs=values, config=config, secrets=secrets,
            id=getattr(request, "id", ""), timeout=getattr(request, "timeout", 0),
            olds=plain(request.olds) if olds is None else olds,
        )  # fmt: skip

    def _config(self, context: Any) -> Config:
        config = self._configs.get(context.peer())
        if config is None:
            _abort(context, Refusal("NotConfigured", "this provider is not configured"))
        return config

    def _replaced_by(self, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
        """A cluster that is named by an identifier stays the same under another kubeconfig."""
        if self.package.package != "kubernetes":
            return self.package.config_replaces
        before, after = old.get("clusterIdentifier"), new.get("clusterIdentifier")
        if before and after:
            return ["clusterIdentifier"]
        return [] if before or after else ["kubeconfig", "context", "cluster"]


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key != "version"}


def _loaded(value: Any) -> Any:
    """A provider's own nested inputs travel as JSON texts."""
    if not isinstance(value, str) or not value.startswith(("{", "[")):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _failures(failures: Iterable[Failure]) -> list[pb.CheckFailure]:
    return [pb.CheckFailure(property=failure.path, reason=failure.reason) for failure in failures]


def _diff(found: list[Difference], deletes_first: bool) -> pb.DiffResponse:
    changes = pb.DiffResponse.DIFF_SOME if found else pb.DiffResponse.DIFF_NONE
    return pb.DiffResponse(
        changes=changes,
        replaces=sorted({_top(d.path) for d in found if d.replace}),
        diffs=sorted({_top(d.path) for d in found}),
        detailedDiff={d.path: pb.PropertyDiff(kind=KINDS[d.kind, d.replace]) for d in found},
        hasDetailedDiff=True,
        deleteBeforeReplace=deletes_first,
    )


def _top(path: str) -> str:
    return path.split(".")[0].split("[")[0]


def _abort(context: Any, refused: Refusal, call: Call | None = None) -> NoReturn:
    """The refusal as a gRPC error; what is half made travels in its details."""
    code = grpc.StatusCode.UNKNOWN
    if refused.half and call and call.op == "create":
        half = refused.half
        detail = AnyMessage()
        detail.Pack(
            pb.ErrorResourceInitFailed(
                id=half.id,
                properties=encode(half.outputs, half.secrets),
                reasons=[refused.message],
                inputs=encode(call.inputs, call.secrets),
            )
        )
        status = status_pb2.Status(code=code.value[0], message=refused.message, details=[detail])
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, refused.message)
    raise AssertionError("abort raises")
