"""A `LanguageRuntime` for Python, attached to the plain CLI by PULUMI_DEBUG_LANGUAGES.

The CLI that is built here has no language host beside it, as the official one has. This one does
what that does for `up` and `preview`: it runs the project's program in a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent import futures
from pathlib import Path

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

LAUNCHER = Path(__file__).with_name("run_program.py")
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
DEADLINE = 250


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    def __init__(self):
        self._engine = ""
        self._server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(self, self._server)
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.stop(0).wait()

    def Handshake(self, request, context):
        self._engine = request.engine_address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")

    def About(self, request, context):
        return language_pb2.AboutResponse(executable=sys.executable, version=sys.version)

    def GetRequiredPackages(self, request, context):
        return language_pb2.GetRequiredPackagesResponse()

    def InstallDependencies(self, request, context):
        return iter(())

    def Cancel(self, request, context):
        return empty_pb2.Empty()

    def Run(self, request, context):
        config = {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        done = subprocess.run(
            [sys.executable, LAUNCHER, *self._arguments(request), request.info.entry_point],
            cwd=request.info.program_directory,
            env={name: os.environ[name] for name in KEPT if name in os.environ} | config,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        if done.returncode == 0:
            return language_pb2.RunResponse()
        return language_pb2.RunResponse(error=done.stderr or "failed", bail=done.returncode == 32)

    def _arguments(self, request):
        values = {
            "monitor": request.monitor_address,
            "engine": request.args[0] if request.args else self._engine,
            "project": request.project,
            "stack": request.stack,
            "dry_run": str(request.dryRun).lower(),
            "organization": request.organization,
            "root_directory": request.info.root_directory,
            "parallel": request.parallel,
        }
        return [word for key, value in values.items() for word in (f"--{key}", str(value))]
