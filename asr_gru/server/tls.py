"""Certificates: those that are given, and self-signed ones."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from asr_gru.errors import ConfigError, MissingExtraError
from asr_gru.files import write_bytes

if TYPE_CHECKING:
    from cryptography import x509

__all__ = ["check_certificate", "self_signed"]

DAYS = 365


def check_certificate(certificate: Path, key: Path) -> None:
    """Check that a server can use a certificate.

    Raises:
        ConfigError: the files are not a certificate and its key.
        OSError: one of them cannot be read.
    """
    for file in (certificate, key):
        file.open("rb").close()  # ssl does not say which one
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")
    except ssl.SSLError:
        raise ConfigError(
            f"{certificate}, {key}: not a certificate and its key; give both in PEM, the key "
            "without a password"
        ) from None


def self_signed(folder: Path, names: list[str]) -> tuple[Path, Path, str]:
    """Create a key and certificate for ``names`` (hosts or addresses), or reuse existing ones.

    Returns:
        certificate, key and the certificate's SHA-256 fingerprint, to be compared by eye with
        what the browser shows.
    """
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
    except ModuleNotFoundError:
        raise MissingExtraError("cryptography", "server") from None
    certificate_file, key_file = folder / "certificate.pem", folder / "key.pem"
    if certificate_file.is_file() and key_file.is_file():
        try:
            found = x509.load_pem_x509_certificate(certificate_file.read_bytes())
            known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            own = serialization.load_pem_private_key(key_file.read_bytes(), None)
            is_pair = found.public_key() == own.public_key()  # two servers may have begun at once
            fits = is_pair and list(known) == [_name(n) for n in names]
        except (ValueError, TypeError, x509.ExtensionNotFound):  # cut, or not one of ours
            fits = False
        if fits and found.not_valid_after_utc > dt.datetime.now(dt.UTC):
            return certificate_file, key_file, _colons(found.fingerprint(hashes.SHA256()))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "asr_gru")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([_name(n) for n in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate_file.unlink(missing_ok=True)  # the two are made for each other
    write_bytes(key_file, private, mode=0o600)
    write_bytes(certificate_file, certificate.public_bytes(pem))
    return certificate_file, key_file, _colons(certificate.fingerprint(hashes.SHA256()))


def _name(text: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text if text.isascii() else text.encode("idna").decode())


def _colons(digest: bytes) -> str:
    return ":".join(f"{byte:02X}" for byte in digest)
