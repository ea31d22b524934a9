"""The stack's secrets: made once, for their owner only, and each service gets only its own."""

import base64
import stat
from pathlib import Path

import pytest

from devstack.secrets_file import load_secrets, new_secrets
from devstack.service import MODULES, Service


@pytest.fixture(autouse=True)
def no_operators_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWITCHHOOK_ADMIN_TOKEN", raising=False)


def test_secrets_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "stack" / "secrets.json"
    made = load_secrets(file)
    assert load_secrets(file) == made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(made.admin_token) >= 32
    assert len(base64.b64decode(made.kek.partition(":")[2])) == 32


def test_the_operators_token_of_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", "given-by-the-environment-of-32-characters")
    assert load_secrets(tmp_path / "secrets.json").admin_token == "given-by-the-environment-of-32-characters"


def test_the_engine_has_no_key_encryption_key_and_the_dispatcher_no_link_key() -> None:
    secrets = new_secrets()
    assert "SWITCHHOOK_KEK" not in secrets.settings_for("flow-engine")
    assert "SWITCHHOOK_LINK_KEY" not in secrets.settings_for("dispatcher")
    assert {"SWITCHHOOK_KEK", "SWITCHHOOK_LINK_KEY"} <= secrets.settings_for("registry").keys()


def test_a_service_inherits_no_secret_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_DATABASE", "postgresql://admin@localhost/")
    monkeypatch.setenv("SWITCHHOOK_KEK", "id:key")
    monkeypatch.setenv("SWITCHHOOK_LOG_LEVEL", "DEBUG")
    ingress = Service(
        "ingress", "ingress", folder=tmp_path, log=tmp_path / "log", env=new_secrets().settings_for("ingress")
    )
    assert "SWITCHHOOK_DATABASE" not in ingress.env
    assert ingress.env["SWITCHHOOK_KEK"] != "id:key"
    assert ingress.env["SWITCHHOOK_LOG_LEVEL"] == "DEBUG"


def test_each_service_has_a_database_password_of_its_own() -> None:
    secrets = new_secrets()
    passwords = {secrets.database_password_of(service) for service in ("registry", "flow-engine", "dispatcher")}
    assert len(passwords) == 3
    assert secrets.database_password not in passwords


def test_a_service_gets_the_digest_of_the_operators_token_not_the_token() -> None:
    secrets = new_secrets()
    assert all(secrets.admin_token not in "".join(secrets.settings_for(service).values()) for service in MODULES)
