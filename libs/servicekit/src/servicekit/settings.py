"""What every service takes from its environment; each service adds its own fields in a subclass."""

from __future__ import annotations

import os
import re
import socket
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from contracts.sentences import sentence
from servicekit.kafka.cluster import Cluster, Mechanism
from servicekit.kafka.security import Security, SecurityProtocol
from servicekit.misconfigured import SECRETS_DIR
from servicekit.operator_token import kept_operator_token

Network = IPv4Network | IPv6Network


def _default_instance() -> str:
    return f"{re.sub('[^A-Za-z0-9._-]', '-', socket.gethostname())}-{os.getpid()}"[-128:]


class KafkaSettings(BaseSettings):
    """Where Kafka is and what is ours there. Environment: `SWITCHHOOK_` + the field's name."""

    model_config = SettingsConfigDict(env_prefix="SWITCHHOOK_", frozen=True, extra="ignore", hide_input_in_errors=True)

    kafka: str = "127.0.0.1:9092"
    """Bootstrap servers, `host:port` separated by commas."""
    kafka_security_protocol: SecurityProtocol = "PLAINTEXT"
    """How Kafka is reached. With SASL in its name: by a login; with SSL in its name: encrypted."""
    kafka_sasl_mechanism: Mechanism | None = None
    """How the login is done; needed with SASL."""
    kafka_user: str | None = None
    """Needed with SASL."""
    kafka_password: SecretStr | None = None
    """Needed with SASL."""
    kafka_ca: Path | None = None
    """PEM file of the authorities whose broker certificates are trusted; none: those that the system trusts."""
    kafka_certificate: Path | None = None
    """PEM file of the certificate that we show to brokers that ask for one."""
    kafka_key: Path | None = None
    """PEM file of its private key; none: it is in the certificate's file."""
    topic_prefix: str = Field(default="", max_length=100, pattern=r"^[A-Za-z0-9._-]*$")
    """Goes before the names of all topics, consumer groups and transactional ids, so that installations can share a cluster."""

    @cached_property
    def cluster(self) -> Cluster:
        """What every Kafka client of this process is made from."""
        security = self._kafka_security
        return Cluster(self.kafka, self.topic_prefix, security.tls, security.login)

    @cached_property
    def _kafka_security(self) -> Security:
        return Security(
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_user,
            self.kafka_password,
            self.kafka_ca,
            self.kafka_certificate,
            self.kafka_key,
        )

    @model_validator(mode="after")
    def _kafka_security_goes_together(self) -> Self:
        problem = self._kafka_security.problem()
        if problem is not None:
            raise ValueError(problem)
        _ = self._kafka_security.tls  # Its files are read now, so that what is wrong with them is said at the start.
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        folder = os.environ.get(SECRETS_DIR)
        files = (SecretsSettingsSource(settings_cls, secrets_dir=folder),) if folder else ()
        return (init_settings, env_settings, *files)


def refusal(error: ValidationError) -> str:
    """What is wrong with the settings, in a sentence that names them."""
    said = []
    for one in error.errors():
        name = "".join(f"SWITCHHOOK_{place}".upper() for place in one["loc"][:1])
        message = sentence(one)
        said.append(message if not name or message.startswith("SWITCHHOOK_") else f"{name}: {message}")
    return "; ".join(said)


class ServiceSettings(KafkaSettings):
    """Read once, in `main.py`. Environment: `SWITCHHOOK_` + the field's name; lists are separated by commas."""

    database: SecretStr | None = None
    """PostgreSQL DSN of this service's role."""
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    instance: str = Field(default_factory=_default_instance, max_length=128, pattern=r"^[A-Za-z0-9._-]+$")
    """Name of this replica, unique among the living ones of its service: of two of one name the one that was started later
    works, and the other one is red. Containers that share their host's name (its network) have to be given one each. One
    that stays the same over restarts gets its partitions back at once."""
    admin_token: SecretStr = Field(min_length=32)
    """The operator's token, at least 32 characters, or better `sha256:` and its digest in hex; the digest is all that is kept."""
    kek: SecretStr | None = None
    """Key-encryption keys: `id:base64 of 32 bytes`; the first seals, each opens what it sealed. The engine has none."""
    link_key: SecretStr | None = Field(default=None, min_length=32)
    """What keys of signed links and sessions are derived from; of several the first signs, each opens what it signed."""
    public_url: str = "http://127.0.0.1:8080"
    """Where the outside reaches the gateway, without a trailing slash."""
    allowed_networks: Annotated[tuple[Network, ...], NoDecode] = ()
    """Networks that outgoing requests may reach although they are not public (and by plain http)."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    """Peers whose X-Forwarded-For is believed."""
    session_timeout_seconds: float = Field(default=30, gt=0)
    """A consumer not heard of for this long loses its partitions."""
    lease_seconds: float = Field(default=60, gt=0)
    """How long a claimed delivery belongs to its claimer. After a crash it is sent again when that ends, or ends itself where it may not
    be sent twice, however short this is."""
    drain_seconds: int = Field(default=20, gt=0)
    """How long requests in flight may finish after SIGTERM; keep it below the pod's grace period."""
    trace_sample: float = Field(default=0.01, ge=0, le=1)
    """Share of new traces that are recorded; a caller's own decision wins."""
    otlp_endpoint: str | None = None
    """OTLP over HTTP collector, `http://host:4318`; none: spans are not exported."""
    trace_file: str | None = None
    """A file to which spans are appended as JSON lines."""
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @field_validator("allowed_networks", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("admin_token")
    @classmethod
    def _digested(cls, value: SecretStr) -> SecretStr:
        return SecretStr(kept_operator_token(value.get_secret_value()))

    @field_validator("public_url")
    @classmethod
    def _without_slash(cls, value: str) -> str:
        return value.rstrip("/")
