"""A backend's URL, as Pulumi reads it: `s3://bucket/folder?region=…`. Nobody is asked anything."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from jobs.errors import InputError, Problem
from jobs.problems import did_you_mean, printable

__all__ = ["BackendUrl", "folder_of", "read_url"]

PARAMETERS: dict[str, tuple[str, ...]] = {
    "s3": (
        "region", "endpoint", "profile", "s3ForcePathStyle", "use_path_style", "disableSSL",
        "disable_https", "fips", "dualstack", "accelerate", "anonymous", "role", "ssetype",
        "kmskeyid", "awssdk", "hostname_immutable", "rate_limiter_capacity",
        "request_checksum_calculation", "response_checksum_validation",
    ),
    "gs": ("access_id", "private_key_path", "anonymous", "universe_domain"),
    "azblob": ("storage_account", "domain", "protocol", "cdn", "localemu"),
    "https": (),
    "http": (),
}  # fmt: skip
"""What gocloud.dev 0.46, by which the engine opens buckets, understands."""
SCHEMES = ("file", *PARAMETERS)
ALSO_CALLED = {
    "gcs": "gs", "az": "azblob", "azure": "azblob", "abfs": "azblob", "abfss": "azblob",
    "wasbs": "azblob", "s3a": "s3", "minio": "s3", "pulumi": "https",
}  # fmt: skip
CONSOLE, API = "app.pulumi.com", "api.pulumi.com"


@dataclass(frozen=True)
class BackendUrl:
    """`place`: the bucket or container; of Pulumi Cloud the host with its port."""

    url: str
    scheme: str
    place: str
    prefix: str
    """A folder in it, with a slash at its end, or nothing."""
    parameters: dict[str, str]

    @property
    def cloud(self) -> bool:
        """Whether it is Pulumi Cloud, or one's own installation of it."""
        return self.scheme in ("https", "http")

    def flag(self, *names: str) -> bool:
        """Whether one of these parameters says yes, as Go reads it."""
        yes = ("1", "t", "T", "true", "TRUE", "True")
        return any(self.parameters.get(name) in yes for name in names)


def read_url(url: str, where: str = "--backend") -> BackendUrl:
    """Raises InputError, with a near match, for what no backend is called."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise InputError(Problem(where, *_unknown(url, parts.scheme)))
    if parts.scheme == "file":
        return BackendUrl(url, "file", "", "", {})
    if not parts.netloc:
        kind = "a host" if parts.scheme in ("https", "http") else "a bucket"
        raise InputError(Problem(where, f"{url} does not name {kind}", _example(parts.scheme)))
    if parts.netloc == CONSOLE:
        raise InputError(Problem(where, f"{url} is for browsers", f"use https://{API}"))
    if parts.username or parts.password:
        hint = "give them by the environment: a URL is seen by everybody on this machine"
        raise InputError(Problem(where, "it holds credentials", hint))
    prefix = unquote(parts.path).strip("/")
    return BackendUrl(
        url, parts.scheme, parts.netloc, f"{prefix}/" if prefix else "",
        _parameters(parts.scheme, parts.query, where),
    )  # fmt: skip


def folder_of(url: str) -> Path:
    """The folder that a `file://` URL names; a relative one is below the current folder, wherever
    the engine runs."""
    parts = urlsplit(url)
    return Path(unquote(parts.netloc + parts.path)).expanduser().absolute()


def _parameters(scheme: str, query: str, where: str) -> dict[str, str]:
    """The engine refuses unknown ones too, but not with a near match."""
    found = dict(parse_qsl(query, keep_blank_values=True))
    for name in found:
        if name not in PARAMETERS[scheme]:
            hint = did_you_mean(name, PARAMETERS[scheme], "it takes " + _all_of(scheme))
            raise InputError(Problem(where, f"{scheme}:// has no parameter `{name}`", hint))
    return found


def _all_of(scheme: str) -> str:
    return ", ".join(PARAMETERS[scheme]) or "none"


def _unknown(url: str, scheme: str) -> tuple[str, str]:
    if not scheme:
        return f"`{printable(url)}` is no URL", "a folder is file://FOLDER"
    known = ", ".join(f"{each}://" for each in SCHEMES)
    if scheme in ALSO_CALLED:
        return f"{scheme}:// is no backend", f"did you mean `{ALSO_CALLED[scheme]}://`?"
    return f"{scheme}:// is no backend", did_you_mean(scheme, SCHEMES, f"there are {known}")


def _example(scheme: str) -> str:
    cases = {"s3": "s3://BUCKET?region=REGION", "gs": "gs://BUCKET",
             "azblob": "azblob://CONTAINER?storage_account=ACCOUNT"}  # fmt: skip
    return f"like {cases.get(scheme, f'https://{API}')}"
