"""Channels whose calls cannot be proved without their secrets."""

from __future__ import annotations

from base64 import b64encode

import orjson
import pytest

from contracts.registry import Channel
from ingress.lookup.accounts import Accounts
from servicekit.credentials.sealing import KeyRing
from servicekit.web.problems import ProblemError
from support.ingress_fakes import FakeView

KEYS, OTHERS = (KeyRing(b64encode(bytes([each] * 32)).decode()) for each in (1, 2))
SEALED = KEYS.seal(orjson.dumps({"app_secret": "s"}), project="p", entity="c", field="credentials")
CHANNEL = Channel(id="c", project_id="p", bot_id="b", type="toy", name="Toy", credentials=SEALED)


def test_secrets_are_open_only_where_they_are_needed() -> None:
    accounts = Accounts(FakeView(), KEYS)
    assert accounts.of(CHANNEL, opened=False).credentials == {}
    assert accounts.of(CHANNEL, opened=True).credentials == {"app_secret": "s"}


def test_they_are_opened_anew_when_the_registry_changes() -> None:
    view = FakeView()
    accounts = Accounts(view, KEYS)
    assert accounts.of(CHANNEL, opened=True) is accounts.of(CHANNEL, opened=True)
    sealed = KEYS.seal(orjson.dumps({"app_secret": "t"}), project="p", entity="c", field="credentials")
    changed = CHANNEL.model_copy(update={"credentials": sealed})
    view.put("channel", changed)
    assert accounts.of(changed, opened=True).credentials == {"app_secret": "t"}


@pytest.mark.parametrize("keys", [None, OTHERS])
def test_without_the_key_the_platform_is_asked_to_come_again(keys: KeyRing | None) -> None:
    with pytest.raises(ProblemError, match="unavailable"):
        Accounts(FakeView(), keys).of(CHANNEL, opened=True)
    assert Accounts(FakeView(), keys).of(CHANNEL, opened=False).channel is CHANNEL
