"""A certificate authority for one control plane, and kubeconfigs made with it."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Authority", "Pair", "kubeconfig", "write_private"]

LIFETIME = datetime.timedelta(days=365)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Pair:
    """Files of a certificate and its key, PEM."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; keeps all files, readable by the owner alone, in one folder."""

    def __init__(self, folder: Path, name: str = "testbed", *, rsa_key: bool = False) -> None:
        """`rsa_key`: for those who read only PKCS#1 keys. The name is a DNS name of it too."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._name = _name(name)
        self._key: Key = (
            rsa.generate_private_key(65537, 2048)
            if rsa_key
            else ec.generate_private_key(ec.SECP256R1())
        )
        self.certificate = folder / "ca.crt"
        self.key = folder / "ca.key"
        self._usual = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        write_private(self.certificate, _pem(self._sign_self(name)))
        write_private(self.key, _key_pem(self._key))

    def issue(
        self,
        file: str,
        common_name: str,
        organization: str = "",
        dns: Sequence[str] = (),
        addresses: Sequence[str] = (),
    ) -> Pair:
        """A server's certificate where it has names or addresses, else a client's."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [x509.DNSName(each) for each in dns]
        names += [x509.IPAddress(ipaddress.ip_address(each)) for each in addresses]
        use = ExtendedKeyUsageOID.SERVER_AUTH if names else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(_name(common_name, organization), key)
        builder = builder.add_extension(x509.ExtendedKeyUsage([use]), False)
        builder = builder.add_extension(self._usual, False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        pair = Pair(self.folder / f"{file}.crt", self.folder / f"{file}.key")
        write_private(pair.certificate, _pem(builder.sign(self._key, hashes.SHA256())))
        write_private(pair.key, _key_pem(key))
        return pair

    def bundle(self) -> str:
        """The CA certificate as `caBundle` wants it."""
        return base64.b64encode(self.certificate.read_bytes()).decode()

    def _builder(self, subject: x509.Name, key: Key) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + LIFETIME)
        )

    def _sign_self(self, name: str) -> x509.Certificate:
        use = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
        subject = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        return (
            self._builder(self._name, self._key)
            .add_extension(x509.BasicConstraints(True, None), True)
            .add_extension(use, True)
            .add_extension(subject, False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .sign(self._key, hashes.SHA256())
        )


def kubeconfig(
    path: Path, server: str, authority: Authority, user: Pair | None = None, token: str = ""
) -> Path:
    """Writes a kubeconfig with everything in it, for a certificate or a token. JSON is YAML."""
    who: dict[str, str] = {"token": token} if token else {}
    if user:
        who = {
            "client-certificate-data": _base64(user.certificate),
            "client-key-data": _base64(user.key),
        }
    where = {"server": server, "certificate-authority-data": authority.bundle()}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": where}],
        "users": [{"name": "user", "user": who}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
        "current-context": "testbed",
    }
    write_private(path, json.dumps(content, indent=1).encode())
    return path


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read, from the first byte on."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_bytes(content)


def _name(common_name: str, organization: str = "") -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Key) -> bytes:
    """PKCS#1 or SEC 1: not every reader knows PKCS#8."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
