"""What holds opened secrets does not show them when it is printed."""

from __future__ import annotations

from channels.port import Account
from channels.sending import HIDDEN, Request
from contracts.registry import Channel

TOKEN = "104117782:AAF0secretsecretsecretsecretsecret0"


def test_an_account_names_its_credentials_only() -> None:
    channel = Channel(id="ch-1", project_id="p", bot_id="b", type="telegram", name="Telegram")
    shown = f"{Account(channel, {'token': TOKEN})}"
    assert TOKEN not in shown
    assert "ch-1" in shown
    assert "token" in shown


def test_a_request_shows_what_may_be_stored() -> None:
    url = "https://api.telegram.org/bot{}/sendMessage"
    request = Request(
        "POST", url.format(TOKEN), {"authorization": TOKEN}, TOKEN.encode(), url.format(HIDDEN), {}, b"", (TOKEN,)
    )
    shown = f"{request} {request!r} {[request]}"
    assert TOKEN not in shown
    assert url.format(HIDDEN) in shown
