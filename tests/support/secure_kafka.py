"""A broker that asks who is there: listeners with logins, with TLS, with both, and certificates made for it."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from devstack.embedded_kafka import EmbeddedKafka
from devstack.ports import free_port

USER = "switchhook"
Signer = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


@dataclass(frozen=True)
class Pems:
    """Files: the authority's certificate, and one certificate with its key, that it signed."""

    ca: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Pems:
    """An authority of its own and a certificate for 127.0.0.1, good for a broker and for a client."""
    authority = _signed("an authority", None)
    leaf = _signed("127.0.0.1", authority)
    made = Pems(folder / "ca.pem", folder / "certificate.pem", folder / "key.pem")
    made.ca.write_bytes(_pem(authority[0]))
    made.certificate.write_bytes(_pem(leaf[0]))
    made.key.write_bytes(
        leaf[1].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made


def _signed(name: str, by: Signer | None) -> Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by[0].subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    )
    if by is not None:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(by[1] if by else key, hashes.SHA256()), key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


class SecureKafka(EmbeddedKafka):
    """Beside its plain listener one for each other protocol; `password` is USER's, whatever the mechanism.

    `users`: more of them, who log in by SCRAM with the same password. `authorises`: they may do what access control lists say;
    whoever comes through the plain listener may do anything.
    """

    def __init__(
        self, folder: Path, pems: Pems, *, password: str, users: Iterable[str] = (), authorises: bool = False
    ) -> None:
        super().__init__(folder)
        self.pems, self.password = pems, password
        self._users, self._authorises = (USER, *users), authorises
        self._ports = {protocol: free_port() for protocol in ("SASL_PLAINTEXT", "SASL_SSL", "SSL")}

    def settings(self, protocol: str, **more: str) -> Mapping[str, str]:
        """Environment of a service that reaches it by this protocol."""
        return {
            "SWITCHHOOK_KAFKA": f"127.0.0.1:{self._ports[protocol]}",
            "SWITCHHOOK_KAFKA_SECURITY_PROTOCOL": protocol,
            **({"SWITCHHOOK_KAFKA_CA": str(self.pems.ca)} if protocol.endswith("SSL") else {}),
            **{f"SWITCHHOOK_KAFKA_{name.upper()}": value for name, value in more.items()},
        }

    def _write_configuration(self) -> None:
        super()._write_configuration()
        plain, controller = f"127.0.0.1:{self._port}", f"127.0.0.1:{self._controller_port}"
        ours = [f"{protocol}://127.0.0.1:{port}" for protocol, port in self._ports.items()]
        key_store = self.pems.certificate.with_name("broker.pem")
        key_store.write_bytes(self.pems.key.read_bytes() + self.pems.certificate.read_bytes())
        module = "org.apache.kafka.common.security"
        scram = f"{module}.scram.ScramLoginModule required;"
        login = f'{module}.plain.PlainLoginModule required user_{USER}="{self.password}";'
        settings = {
            "listeners": ",".join([f"PLAINTEXT://{plain}", f"CONTROLLER://{controller}", *ours]),
            "advertised.listeners": ",".join([f"PLAINTEXT://{plain}", *ours]),
            "listener.security.protocol.map": ",".join(
                ["CONTROLLER:PLAINTEXT", *(f"{each}:{each}" for each in ("PLAINTEXT", *self._ports))]
            ),
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(key_store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.pems.ca),
            "listener.name.ssl.ssl.client.auth": "required",
        }
        for listener in ("sasl_plaintext", "sasl_ssl"):
            settings[f"listener.name.{listener}.plain.sasl.jaas.config"] = login
            for mechanism in ("scram-sha-256", "scram-sha-512"):
                settings[f"listener.name.{listener}.{mechanism}.sasl.jaas.config"] = scram
        if self._authorises:
            settings |= {
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:ANONYMOUS",
            }
        with (self._folder / "server.properties").open("a") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())

    def _format_options(self) -> list[str]:
        users = [
            f"{mechanism}=[name={user},password={self.password}]"
            for user in self._users
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ]
        return [option for user in users for option in ("--add-scram", user)]
