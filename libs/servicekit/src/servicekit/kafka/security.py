"""How the brokers are reached, as settings give it: what does not go together is refused in a sentence."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from servicekit.kafka.cluster import Login, Mechanism

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


@dataclass(frozen=True)
class Security:
    """The settings SWITCHHOOK_KAFKA_…; files are PEM. Ask `problem` before anything else."""

    protocol: SecurityProtocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    user: str | None = None
    password: SecretStr | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def login(self) -> Login | None:
        """None without SASL."""
        if self.mechanism is None or self.user is None or self.password is None:
            return None
        return Login(self.mechanism, self.user, self.password)

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """None without TLS. Raises ValueError, in a sentence, for a file that does not hold what it should."""
        if not self.protocol.endswith("SSL"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise ValueError(f"SWITCHHOOK_KAFKA_CA: {self.ca} does not hold certificates in PEM ({error})") from error
        if self.certificate is not None:
            try:
                context.load_cert_chain(self.certificate, self.key)
            except OSError as error:
                raise ValueError(
                    f"SWITCHHOOK_KAFKA_CERTIFICATE and SWITCHHOOK_KAFKA_KEY: {self.certificate} and {self.key or 'no key'}"
                    f" are not a certificate and its unencrypted key in PEM ({error})"
                ) from error
        return context

    def problem(self) -> str | None:
        """What does not go together, in a sentence that names the setting; None when all does."""
        return self._problem_of_login() or self._problem_of_tls()

    def _problem_of_login(self) -> str | None:
        given = {"SASL_MECHANISM": self.mechanism, "USER": self.user, "PASSWORD": self.password}
        for name, value in given.items():
            if self.protocol.startswith("SASL") and value is None:
                choice = ": PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512" if name == "SASL_MECHANISM" else ""
                return (
                    f"SWITCHHOOK_KAFKA_{name} is needed with SWITCHHOOK_KAFKA_SECURITY_PROTOCOL={self.protocol}{choice}"
                )
            if not self.protocol.startswith("SASL") and value is not None:
                return (
                    f"SWITCHHOOK_KAFKA_{name} is set, but SWITCHHOOK_KAFKA_SECURITY_PROTOCOL={self.protocol} has no login:"
                    " choose SASL_SSL or SASL_PLAINTEXT"
                )
        return None

    def _problem_of_tls(self) -> str | None:
        given = {"CA": self.ca, "CERTIFICATE": self.certificate, "KEY": self.key}
        for name, value in given.items():
            if value is not None and not self.protocol.endswith("SSL"):
                return (
                    f"SWITCHHOOK_KAFKA_{name} is set, but SWITCHHOOK_KAFKA_SECURITY_PROTOCOL={self.protocol} is not"
                    " encrypted: choose SSL or SASL_SSL"
                )
        if self.key is not None and self.certificate is None:
            return "SWITCHHOOK_KAFKA_CERTIFICATE is needed with SWITCHHOOK_KAFKA_KEY"
        return None
