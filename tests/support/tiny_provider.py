"""A package `tiny` with one resource type, `tiny:index:Thing`, whose operations a test steers.

Inputs: `fail` makes the create fail with that text; `wait` makes it wait until `released`.
"""

from __future__ import annotations

import threading
from concurrent import futures

import grpc
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc


class TinyProvider(provider_pb2_grpc.ResourceProviderServicer):
    def __init__(self):
        self.created = []
        self.deleted = []
        self.waiting = threading.Event()
        self.released = threading.Event()
        self.deletes_fail = False
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def stop(self):
        self.released.set()
        self._server.stop(0).wait()

    def Handshake(self, request, context):
        return provider_pb2.ProviderHandshakeResponse(accept_secrets=True, accept_outputs=True)

    def Attach(self, request, context):
        return empty_pb2.Empty()

    def Cancel(self, request, context):
        self.released.set()
        return empty_pb2.Empty()

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")

    def CheckConfig(self, request, context):
        return provider_pb2.CheckResponse(inputs=request.news)

    def DiffConfig(self, request, context):
        return provider_pb2.DiffResponse(changes=1)

    def Configure(self, request, context):
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    def Check(self, request, context):
        return provider_pb2.CheckResponse(inputs=request.news)

    def Diff(self, request, context):
        olds, news = dict(request.olds), dict(request.news)
        changed = [key for key in news if olds.get(key) != news[key]]
        same = request.olds == request.news
        return provider_pb2.DiffResponse(changes=1 if same else 2, diffs=changed)

    def Create(self, request, context):
        name = request.urn.rsplit("::", 1)[-1]
        if request.preview:
            return provider_pb2.CreateResponse(properties=request.properties)
        if "fail" in request.properties:
            context.abort(grpc.StatusCode.UNKNOWN, request.properties["fail"])
        if "wait" in request.properties:
            self.waiting.set()
            self.released.wait(30)
        self.created.append(name)
        return provider_pb2.CreateResponse(id=f"id-{name}", properties=request.properties)

    def Update(self, request, context):
        return provider_pb2.UpdateResponse(properties=request.news)

    def Delete(self, request, context):
        if self.deletes_fail:
            context.abort(grpc.StatusCode.UNKNOWN, "it is still attached")
        self.deleted.append(request.urn.rsplit("::", 1)[-1])
        return empty_pb2.Empty()

    def Read(self, request, context):
        return provider_pb2.ReadResponse(id=request.id, properties=request.properties)

    def Invoke(self, request, context):
        return provider_pb2.InvokeResponse(**{"return": struct_pb2.Struct()})
