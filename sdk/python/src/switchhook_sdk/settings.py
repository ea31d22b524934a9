"""Where Kafka is, how it lets us in and what its names begin with: the settings of the services, from the same environment."""

from __future__ import annotations

import logging
import os
import ssl
from pathlib import Path
from typing import Any, Literal, Self

from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from contracts.sentences import sentence

LOGINS = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}


class KafkaSettings(BaseModel):
    """Each is the environment variable `SWITCHHOOK_` + its name, or a file of that name, in lower case, in the folder that
    SWITCHHOOK_SECRETS_DIR names."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers, `host:port` separated by commas."""
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """With SASL in its name: by a login; with SSL in its name: encrypted."""
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    """How the login is done; needed with SASL."""
    kafka_user: str | None = None
    """Needed with SASL."""
    kafka_password: SecretStr | None = None
    """Needed with SASL."""
    kafka_ca: Path | None = None
    """PEM file of the authorities that are trusted; none: those of the system."""
    kafka_certificate: Path | None = None
    """PEM file of the certificate that we show to brokers that ask for one."""
    kafka_key: Path | None = None
    """PEM file of its private key; none: it is in the certificate's file."""
    topic_prefix: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9._-]*$")
    """Goes before the names of topics and groups."""

    @classmethod
    def from_environment(cls) -> Self:
        """Raises ValueError, in a sentence that names the setting."""
        try:
            return cls.model_validate({name: value for name in cls.model_fields if (value := _value(name)) is not None})
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = f"SWITCHHOOK_{str(first['loc'][0]).upper()}: " if first["loc"] else ""
            raise ValueError(f"{place}{sentence(first)}") from None

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        protocol = self.kafka_security_protocol
        login = {"SASL_MECHANISM": self.kafka_sasl_mechanism, "USER": self.kafka_user, "PASSWORD": self.kafka_password}
        files = {"CA": self.kafka_ca, "CERTIFICATE": self.kafka_certificate, "KEY": self.kafka_key}
        for name, value in login.items():
            if (value is not None) != protocol.startswith("SASL"):
                needs = "has no login" if value is not None else "needs it"
                raise ValueError(f"SWITCHHOOK_KAFKA_{name}: SWITCHHOOK_KAFKA_SECURITY_PROTOCOL={protocol} {needs}")
        for name, file in files.items():
            if file is not None and not protocol.endswith("SSL"):
                raise ValueError(
                    f"SWITCHHOOK_KAFKA_{name}: SWITCHHOOK_KAFKA_SECURITY_PROTOCOL={protocol} is not encrypted"
                )
        if self.kafka_key is not None and self.kafka_certificate is None:
            raise ValueError("SWITCHHOOK_KAFKA_CERTIFICATE is needed with SWITCHHOOK_KAFKA_KEY")
        return self

    def broker(self, **options: Any) -> KafkaBroker:
        """FastStream's broker. What it sends counts as sent once all replicas have it, and it logs each batch as a detail only.

        `options`: more of KafkaBroker's. Raises ValueError for a file that does not hold what it should.
        """
        return KafkaBroker(
            self.kafka.split(","),
            **{"acks": "all", "enable_idempotence": True, "log_level": logging.DEBUG, **options},
            security=self._security(),
        )

    def _security(self) -> BaseSecurity | None:
        tls = self._tls()
        if self.kafka_sasl_mechanism and self.kafka_user and self.kafka_password:
            login, password = LOGINS[self.kafka_sasl_mechanism], self.kafka_password.get_secret_value()
            return login(self.kafka_user, password, ssl_context=tls, use_ssl=tls is not None)
        return BaseSecurity(ssl_context=tls, use_ssl=True) if tls else None

    def _tls(self) -> ssl.SSLContext | None:
        if not self.kafka_security_protocol.endswith("SSL"):
            return None
        try:
            context = ssl.create_default_context(cafile=self.kafka_ca)
            if self.kafka_certificate is not None:
                context.load_cert_chain(self.kafka_certificate, self.kafka_key)
        except OSError as error:
            raise ValueError(
                f"SWITCHHOOK_KAFKA_CA, SWITCHHOOK_KAFKA_CERTIFICATE or SWITCHHOOK_KAFKA_KEY is no such file in PEM ({error})"
            ) from error
        return context


def _value(field: str) -> str | None:
    name, folder = f"switchhook_{field}", os.environ.get("SWITCHHOOK_SECRETS_DIR")
    if (value := os.environ.get(name.upper())) is not None or not folder:
        return value
    file = Path(folder) / name
    return file.read_text().strip() if file.is_file() else None
