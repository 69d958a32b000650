"""moto's S3 on loopback, one request at a time: its check of a condition and its write are two
steps."""

from __future__ import annotations

import warnings
from contextlib import contextmanager

from loopback import running

BUCKET = "colonies"


@contextmanager
def s3_served(*buckets):
    """The address of a fresh S3 that has these buckets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # moto's own, as it loads
        from moto.backends import get_backend
        from moto.core import DEFAULT_ACCOUNT_ID
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        state = get_backend("s3")
        state.reset()
        for name in buckets or (BUCKET,):
            state[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(name, "us-east-1")
        app = DomainDispatcherApplication(create_backend_app)
        server = make_server("127.0.0.1", 0, app, threaded=False, request_handler=_quiet())
    try:
        with running(server) as address:
            yield address
    finally:
        state.reset()


def s3_url(address, bucket=BUCKET, folder=""):
    """As gocloud.dev and Pulumi read it."""
    place = f"{bucket}/{folder}" if folder else bucket
    return f"s3://{place}?region=us-east-1&endpoint={address}&s3ForcePathStyle=true"


def _quiet():
    from werkzeug.serving import WSGIRequestHandler

    class Quiet(WSGIRequestHandler):
        def log(self, *_):
            return

    return Quiet
