"""Runs a Pulumi program as the Python language host's own launcher would: PROGRAM from the
working directory, the rest from the environment and the arguments."""

from __future__ import annotations

import argparse
import asyncio
import logging
import runpy
import sys
from concurrent.futures import ThreadPoolExecutor

import pulumi
import pulumi.runtime

SHOWN = 32
"""Exit code for an error that the engine has been told already."""


def main():
    args = arguments()
    pulumi.runtime.set_all_config(
        pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    )
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=args.monitor,
            engine=args.engine,
            project=args.project,
            stack=args.stack,
            parallel=args.parallel,
            dry_run=args.dry_run == "true",
            organization=args.organization,
            root_directory=args.root_directory,
        )
    )
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(args.parallel * 4))
    try:
        loop.run_until_complete(
            pulumi.runtime.run_in_stack(lambda: runpy.run_path(args.program, run_name="__main__"))
        )
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return SHOWN
    finally:
        loop.close()
    return 0


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("monitor", "engine", "project", "stack", "dry_run", "organization"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--root_directory")
    parser.add_argument("--parallel", type=int)
    parser.add_argument("program")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
