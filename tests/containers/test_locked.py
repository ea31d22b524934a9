"""Who has no name and no password gets nowhere, and nothing starts without them."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from containers.composed import SERVICES, Composed, remove
from containers.podman import Failed, podman

NOT_SECRET = ("database_", "admin_token_digest")
"""Files whose text is more than the secret."""
ALONE = "COMPOSE_FILE=compose.yaml COMPOSE_PROJECT_NAME=switchhook-alone EDGE_SUBNET=10.77.79.0/24"
LABEL = "com.docker.compose.project"
NOBODY_ASKS = """
import asyncio, sys
from aiokafka.admin import AIOKafkaAdminClient
async def ask():
    admin = AIOKafkaAdminClient(bootstrap_servers=sys.argv[1], request_timeout_ms=5000)
    await admin.start()
    print(await admin.list_topics())
asyncio.run(ask())
"""


@pytest.mark.parametrize(
    "login", [{}, {"username": "switchhook-ingress", "password": "guessed"}], ids=["nobody", "guess"]
)
def test_kafka_asks_who_it_is(installation: Composed, login: dict[str, str]) -> None:
    known = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-512"} if login else {}
    settings = {f"sasl.{name}": value for name, value in login.items()} | known
    admin = AdminClient({"bootstrap.servers": f"localhost:{installation.kafka_port}", **settings}, logger=None)
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=5)


@pytest.mark.parametrize("port", ["9092", "9093", "9094"], ids=["services", "controllers", "programs"])
def test_kafka_asks_who_it_is_in_its_own_network(installation: Composed, port: str) -> None:
    with pytest.raises(Failed, match=r"KafkaConnectionError|UnrecognizedBrokerVersion"):
        installation.compose(f"exec -T dispatcher python3 -c '{NOBODY_ASKS}' kafka-1:{port}")


@pytest.mark.parametrize("where", ["--host=127.0.0.1", "--host=/run/postgresql"])
def test_postgres_asks_who_it_is(installation: Composed, where: str) -> None:
    with pytest.raises(Failed, match="password"):
        installation.compose(f"exec -T postgres psql {where} --username=postgres --no-password --command='SELECT 1'")


@pytest.mark.parametrize("schema", ["registry", "dispatcher"])
def test_a_service_reads_no_tables_but_its_own(installation: Composed, schema: str) -> None:
    dsn = installation.secret("database_flow_engine")
    installation.compose(f"exec -T postgres psql {dsn} --command='SELECT count(*) FROM flow_engine.checkpoint'")
    with pytest.raises(Failed, match=f"permission denied for schema {schema}"):
        installation.compose(f"exec -T postgres psql {dsn} --command='SELECT count(*) FROM {schema}.alembic_version'")


def test_services_are_nobody_and_write_nowhere(installation: Composed) -> None:
    for service in SERVICES:
        assert installation.compose(f"exec -T {service} id -u").split()[-1] == "10001"
        with pytest.raises(Failed, match="Read-only file system"):
            installation.compose(f"exec -T {service} touch /opt/switchhook/here")
        installation.compose(f"exec -T {service} touch /tmp/here")
    assert installation.compose("run --rm --no-deps --entrypoint id setup -u").split()[-1] == "10001"


def test_no_secret_is_logged_or_on_a_command_line_or_in_what_a_container_is_made_of(installation: Composed) -> None:
    secrets = [
        file.read_text().strip()
        for file in (installation.folder / "secrets").iterdir()
        if not file.name.startswith(NOT_SECRET)
    ]
    containers = podman("ps", "--all", "--quiet", "--filter", f"label={LABEL}={installation.project}").split()
    seen = installation.compose("logs --no-color") + command_lines() + podman("container", "inspect", *containers)
    assert [secret[:4] for secret in secrets if secret in seen] == []


def command_lines() -> str:
    """What `ps` shows of every process of this machine."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # It has just ended.
    return "\n".join(found)


def test_the_example_alone_does_not_start(installation: Composed, tmp_path: Path) -> None:
    """Each refusal says what to do."""
    installation.sh(f"cp -r compose.yaml kafka kafka-port.yaml gateway {tmp_path}; cp .env.example {tmp_path}/.env")
    with pytest.raises(Failed, match=r"SWITCHHOOK_DOMAIN.*set it in \.env"):
        installation.sh("SWITCHHOOK_DOMAIN= docker compose up --no-start", folder=tmp_path)
    with pytest.raises(Failed, match=r"KAFKA_CLUSTER_ID.*run \./make-secrets\.sh"):
        installation.sh("docker compose up --no-start", folder=tmp_path)


def test_without_secrets_no_server_starts(installation: Composed, tmp_path: Path) -> None:
    """The settings of another machine, and not its secrets."""
    installation.sh(f"cp -r compose.yaml kafka gateway make-secrets.sh {tmp_path}; cp .env {tmp_path}/.env")
    try:
        kafka = installation.sh(f"{ALONE} docker compose run --rm --no-deps kafka-1 || true", folder=tmp_path)
        assert "run ./make-secrets.sh" in kafka
        postgres = installation.sh(f"{ALONE} docker compose run --rm --no-deps postgres || true", folder=tmp_path)
        assert "password" in postgres
        assert "ready to accept connections" not in postgres
    finally:
        remove("switchhook-alone")
    installation.sh("./make-secrets.sh", folder=tmp_path)
    assert all(each.is_file() for each in (tmp_path / "secrets").iterdir())


@pytest.mark.parametrize(
    ("service", "name", "value"),
    [
        ("registry", "SWITCHHOOK_KEK", "k1:short"),
        ("ingress", "SWITCHHOOK_LINK_KEY", "short"),
        ("flow-engine", "SWITCHHOOK_ADMIN_TOKEN", "short"),
    ],
    ids=["kek", "link key", "token"],
)
def test_a_wrong_secret_is_named(installation: Composed, service: str, name: str, value: str) -> None:
    assert name in what_says(installation, f"--env {name}={value} {service}")


def test_a_wrong_password_is_named(installation: Composed) -> None:
    said = what_says(installation, "--env SWITCHHOOK_KAFKA_PASSWORD=wrong setup")
    assert "SWITCHHOOK_KAFKA_PASSWORD" in said
    dsn = "postgresql://postgres:wrong@postgres:5432/postgres"
    assert "password authentication failed" in what_says(installation, f"--env SWITCHHOOK_DATABASE_ADMIN={dsn} setup")


def what_says(place: Composed, words: str) -> str:
    """What a container writes that cannot start; its exit code is not asked, which podman 4 forgets with --rm."""
    return place.sh(f"docker compose run --rm --no-deps {words} || true", seconds=120)
