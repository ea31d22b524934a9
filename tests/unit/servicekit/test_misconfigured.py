"""What is missing is named with where it was looked for."""

import pytest

from servicekit.credentials.sealing import KeyRing
from servicekit.misconfigured import Misconfigured


def test_a_setting_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWITCHHOOK_SECRETS_DIR", raising=False)
    with pytest.raises(Misconfigured, match=r"^SWITCHHOOK_KEK is not set$"):
        KeyRing(None)


def test_where_secrets_are_mounted_its_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWITCHHOOK_SECRETS_DIR", "/run/secrets")
    with pytest.raises(
        Misconfigured, match=r"^SWITCHHOOK_KEK is not set, and there is no file /run/secrets/switchhook_kek$"
    ):
        KeyRing(None)
