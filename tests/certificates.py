"""Certificates for tests: an authority of their own, and what it signs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_USES = ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"]
_USES += ["key_cert_sign", "crl_sign", "encipher_only", "decipher_only"]


class Authority:
    """Signs certificates for a day; `ca_file` is what others trust."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.ca_file = folder / f"{name}.pem"
        usage = x509.KeyUsage(**dict.fromkeys(_USES, False) | {"key_cert_sign": True, "crl_sign": True})
        builder = self._builder(self._name, self._key.public_key()).add_extension(usage, critical=True)
        own = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(self._key, hashes.SHA256())
        self.ca_file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def certify(self, name: str, *addresses: str) -> tuple[Path, Path]:
        """A certificate for these addresses and its key, for its owner only, as two PEM files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        named = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address)) for address in addresses] or [x509.DNSName(name)])
        signed = self._builder(subject, key.public_key()).add_extension(named, critical=False).sign(self._key, hashes.SHA256())
        certificate_file, key_file = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        certificate_file.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + self.ca_file.read_bytes())
        key_file.touch(mode=0o600)
        private = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        key_file.write_bytes(key.private_bytes(*private))
        return certificate_file, key_file

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        own = self._key.public_key()
        builder = x509.CertificateBuilder(
            self._name, subject, key, x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(days=1)
        )
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        return builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own), critical=False)
