import re
from ipaddress import ip_network

import pytest
from pydantic import Field, ValidationError

from servicekit.credentials.tokens import digest
from servicekit.settings import ServiceSettings

TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    import os

    for name in [name for name in os.environ if name.startswith("SWITCHHOOK_")]:
        monkeypatch.delenv(name)


def test_a_start_without_the_operators_token_is_refused():
    with pytest.raises(ValidationError, match="admin_token"):
        ServiceSettings()


def test_a_short_token_is_refused_and_not_shown(monkeypatch):
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", "hunter2-hunter2")
    with pytest.raises(ValidationError) as refused:
        ServiceSettings()
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("given", [TOKEN, f"sha256:{digest(TOKEN)}"])
def test_of_the_operators_token_its_digest_is_kept(monkeypatch, given):
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", given)
    settings = ServiceSettings()
    assert settings.admin_token.get_secret_value() == f"sha256:{digest(TOKEN)}"
    assert TOKEN not in str(vars(settings)) + settings.model_dump_json()


@pytest.mark.parametrize("given", ["sha256:" + "A" * 64, "sha256:" + "0" * 63, "sha256:" + "0" * 65])
def test_a_digest_that_is_none_is_refused(monkeypatch, given):
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", given)
    with pytest.raises(ValidationError, match="64 digits"):
        ServiceSettings()


def test_lists_are_separated_by_commas(monkeypatch):
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("SWITCHHOOK_ALLOWED_NETWORKS", "127.0.0.0/8, ::1/128")
    settings = ServiceSettings()
    assert settings.allowed_networks == (ip_network("127.0.0.0/8"), ip_network("::1/128"))
    assert TOKEN not in repr(settings)


def test_a_network_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("SWITCHHOOK_ALLOWED_NETWORKS", "everything")
    with pytest.raises(ValidationError):
        ServiceSettings()


def test_secrets_may_be_files(monkeypatch, tmp_path):
    (tmp_path / "switchhook_admin_token").write_text(TOKEN + "\n")
    (tmp_path / "switchhook_kek").write_text("from-file")
    monkeypatch.setenv("SWITCHHOOK_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("SWITCHHOOK_KEK", "from-environment")
    settings = ServiceSettings()
    assert settings.admin_token.get_secret_value() == f"sha256:{digest(TOKEN)}"
    assert settings.kek is not None
    assert settings.kek.get_secret_value() == "from-environment"


def test_a_service_adds_its_own_fields(monkeypatch):
    class Settings(ServiceSettings):
        port: int = 8123
        rounds: int = Field(default=3, gt=0)

    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("SWITCHHOOK_ROUNDS", "5")
    monkeypatch.setenv("SWITCHHOOK_PUBLIC_URL", "https://hooks.example/")
    settings = Settings()
    assert (settings.port, settings.rounds, settings.public_url) == (8123, 5, "https://hooks.example")
    assert settings.instance


@pytest.mark.parametrize("given", ["", "two words", "a/b", "naïve", "x" * 129])
def test_a_name_of_a_replica_that_kafka_would_not_take_is_refused_at_the_start(monkeypatch, given):
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", TOKEN)
    monkeypatch.setenv("SWITCHHOOK_INSTANCE", given)
    with pytest.raises(ValidationError, match="instance"):
        ServiceSettings()


def test_a_host_of_any_name_gives_one_that_kafka_takes(monkeypatch):
    monkeypatch.setenv("SWITCHHOOK_ADMIN_TOKEN", TOKEN)
    monkeypatch.setattr("socket.gethostname", lambda: "my host_" + "é" * 200)
    assert re.fullmatch("[A-Za-z0-9._-]{1,128}", ServiceSettings().instance)
