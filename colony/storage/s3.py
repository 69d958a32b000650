"""S3, and whatever speaks its language (an `endpoint`).

Conditions: `If-None-Match: *` and `If-Match: ETAG`
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html). What cannot do that
refuses the write with 501; nothing is written then without its condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from colony.storage.base import (
    ABSENT,
    Bucket,
    Conflict,
    Missing,
    Stored,
    Unavailable,
    seconds_of,
)  # fmt: skip
from colony.storage.urls import BackendUrl
from jobs.errors import ColonyError, InputError, NotReady, Problem

__all__ = ["S3"]

CONFLICTS = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
MISSING = ("NoSuchKey", "404", "NotFound")
ACCESS = "AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's own role"


class S3(Bucket):
    """One bucket, or a folder in it."""

    def __init__(self, at: BackendUrl) -> None:
        self.url = at.url
        self._at = at
        self._client = _client(at)

    def now(self) -> float | None:
        with _explained(self._at):
            answer = self._client.list_objects_v2(  # all that may be listed may be the prefix
                Bucket=self._at.place, Prefix=self._at.prefix, MaxKeys=1
            )
        return seconds_of(answer["ResponseMetadata"]["HTTPHeaders"].get("date"))

    def _get(self, key: str) -> Stored:
        with _explained(self._at):
            answer = self._client.get_object(**self._named(key))
            return Stored(answer["Body"].read(), answer["ETag"])

    def _put(self, key: str, data: bytes, expected: str | None) -> None:
        condition = {"IfNoneMatch": "*"} if expected == ABSENT else {"IfMatch": expected}
        extra = {**_encryption(self._at), **({} if expected is None else condition)}
        with _explained(self._at):
            self._client.put_object(**self._named(key), Body=data, **extra)

    def _list(self, prefix: str) -> Iterable[str]:
        within = self._at.prefix
        pages = self._client.get_paginator("list_objects_v2")
        with _explained(self._at):
            for page in pages.paginate(Bucket=self._at.place, Prefix=within + prefix):
                yield from (each["Key"][len(within) :] for each in page.get("Contents", []))

    def _list_folders(self, prefix: str) -> Iterable[str]:
        within = self._at.prefix
        pages = self._client.get_paginator("list_objects_v2")
        asked = {"Bucket": self._at.place, "Prefix": within + prefix, "Delimiter": "/"}
        with _explained(self._at):
            for page in pages.paginate(**asked):
                found = page.get("CommonPrefixes", [])
                yield from (each["Prefix"][len(within) :] for each in found)

    def _remove(self, key: str) -> None:
        with _explained(self._at):
            self._client.delete_object(**self._named(key))

    def _named(self, key: str) -> dict[str, str]:
        return {"Bucket": self._at.place, "Key": self._at.prefix + key}


def _client(at: BackendUrl) -> Any:
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    asked = at.parameters
    styled = at.flag("s3ForcePathStyle", "use_path_style")
    config = Config(
        connect_timeout=10, read_timeout=30, retries={"total_max_attempts": 4, "mode": "standard"},
        signature_version=UNSIGNED if at.flag("anonymous") else None,
        use_fips_endpoint=at.flag("fips") or None,
        use_dualstack_endpoint=at.flag("dualstack") or None,
        s3={"addressing_style": "path" if styled else "auto",
            "use_accelerate_endpoint": at.flag("accelerate")},
        request_checksum_calculation=asked.get("request_checksum_calculation"),
        response_checksum_validation=asked.get("response_checksum_validation"),
    )  # fmt: skip
    with _explained(at):
        session = boto3.Session(profile_name=asked.get("profile"), region_name=asked.get("region"))
        if role := asked.get("role"):
            session = _assumed(session, role)
        return session.client(
            "s3", config=config, endpoint_url=_endpoint(at),
            use_ssl=not at.flag("disableSSL", "disable_https"),
        )  # fmt: skip


def _assumed(session: Any, role: str) -> Any:
    import boto3

    found = session.client("sts").assume_role(RoleArn=role, RoleSessionName="colony")["Credentials"]
    return boto3.Session(
        found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], session.region_name
    )


def _endpoint(at: BackendUrl) -> str | None:
    """Without a scheme it is https, as the engine reads it."""
    endpoint = at.parameters.get("endpoint")
    if not endpoint or "://" in endpoint:
        return endpoint or None
    plain = at.flag("disableSSL", "disable_https")
    return f"{'http' if plain else 'https'}://{endpoint}"


def _encryption(at: BackendUrl) -> dict[str, str]:
    asked = {"ServerSideEncryption": "ssetype", "SSEKMSKeyId": "kmskeyid"}
    return {name: at.parameters[key] for name, key in asked.items() if key in at.parameters}


@contextmanager
def _explained(at: BackendUrl) -> Iterator[None]:
    """botocore's errors as ours."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        raise _error(at, str(error.response["Error"].get("Code", "")), status, error) from None
    except (
        exceptions.NoCredentialsError, exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError, exceptions.TokenRetrievalError,
        exceptions.ProfileNotFound, exceptions.SSOError, exceptions.NoRegionError,
    ) as error:  # fmt: skip
        raise NotReady(f"{at.place}: {error} ({ACCESS})") from None
    except exceptions.ParamValidationError as error:
        raise InputError(Problem("--backend", f"{at.url}: {error}")) from None
    except (exceptions.BotoCoreError, OSError) as error:
        raise Unavailable(f"{at.url} does not answer: {error}") from None


def _error(at: BackendUrl, code: str, status: int, error: Exception) -> ColonyError:
    if code == "NoSuchBucket":
        return InputError(Problem("--backend", f"there is no bucket {at.place}", "make it first"))
    if code in CONFLICTS:
        return Conflict(f"{at.url}: somebody else has written meanwhile")
    if code in MISSING:
        return Missing(str(error))
    if status in (400, 401, 403):
        return NotReady(f"{at.place} lets us not in: {error} ({ACCESS})")
    if status == 501:
        return NotReady(f"{at.url} knows no conditional writes: two reapers could not share it")
    return Unavailable(f"{at.url}: {error}")
