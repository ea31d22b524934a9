"""The SDK takes the settings of the services, and says what does not go together."""

from __future__ import annotations

from pathlib import Path

import pytest

from servicekit.settings import KafkaSettings as OfServices
from switchhook_sdk import KafkaSettings, Switchhook

SASL = {"SWITCHHOOK_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "SWITCHHOOK_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"}


def test_they_are_those_of_the_services() -> None:
    ours, theirs = KafkaSettings.model_fields, OfServices.model_fields
    assert {name: field.default for name, field in ours.items()} == {
        name: field.default for name, field in theirs.items()
    }


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KafkaSettings.model_fields:
        monkeypatch.delenv(f"SWITCHHOOK_{name.upper()}", raising=False)
    monkeypatch.delenv("SWITCHHOOK_SECRETS_DIR", raising=False)


def test_a_password_may_be_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "switchhook_kafka_password").write_text("hidden\n")
    for name, value in {**SASL, "SWITCHHOOK_KAFKA_USER": "shop", "SWITCHHOOK_SECRETS_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    settings = KafkaSettings.from_environment()
    assert settings.kafka_password is not None
    assert settings.kafka_password.get_secret_value() == "hidden"
    assert "hidden" not in repr(settings)
    assert Switchhook.from_environment(group="crm").broker is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (SASL, "SWITCHHOOK_KAFKA_USER: SWITCHHOOK_KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT needs it"),
        (
            {"SWITCHHOOK_KAFKA_USER": "shop"},
            "SWITCHHOOK_KAFKA_USER: SWITCHHOOK_KAFKA_SECURITY_PROTOCOL=PLAINTEXT has no",
        ),
        ({"SWITCHHOOK_KAFKA_CA": "/ca.pem"}, "SWITCHHOOK_KAFKA_CA: .*=PLAINTEXT is not encrypted"),
        ({"SWITCHHOOK_KAFKA_SECURITY_PROTOCOL": "TLS"}, "SWITCHHOOK_KAFKA_SECURITY_PROTOCOL: it has to be one of"),
        (
            {"SWITCHHOOK_KAFKA_SECURITY_PROTOCOL": "SSL", "SWITCHHOOK_KAFKA_KEY": "/key.pem"},
            "SWITCHHOOK_KAFKA_CERTIFICATE is needed with SWITCHHOOK_KAFKA_KEY",
        ),
        (
            {"SWITCHHOOK_KAFKA_SECURITY_PROTOCOL": "SSL", "SWITCHHOOK_KAFKA_CA": "/nowhere/ca.pem"},
            r"SWITCHHOOK_KAFKA_CA, .* is no such file in PEM \(",
        ),
    ],
    ids=[
        "a login without a user",
        "a user without a login",
        "TLS files without TLS",
        "no protocol",
        "a key alone",
        "no file",
    ],
)
def test_what_does_not_go_together_is_said_by_name(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=said):
        Switchhook.from_environment()
