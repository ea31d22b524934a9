"""Telegram: what is sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from channels.port import Account
from channels.sending import HIDDEN, Plan, Refusal, Request
from channels.telegram import CONNECTOR
from channels.telegram.platform import Telegram
from contracts.actions import AcknowledgeTap, Button, Location, Media, MessageContent, SendMessage
from support.channel_contract import TAP, account_of, message_of

TOKEN = "104117782:AAF-secret_part"
CREDENTIALS = {"token": TOKEN, "secret_token": "s3cret-t0ken", "inbound_url": "https://bots.example.com/v1/in/tg/x"}
ACCOUNT = account_of(CONNECTOR, CREDENTIALS)
TELEGRAM = Telegram()


def say(text: str, *, peer_id: str = "4711", callback_id: str | None = None, **content: Any) -> SendMessage:
    return message_of(MessageContent(text=text, **content), peer_id, callback_id)


def requests(made: Plan | Refusal) -> list[Request]:
    assert isinstance(made, Plan), made
    return [step.make(()) for step in made.steps]


def request(action: SendMessage, *, first: bool = True, account: Account = ACCOUNT) -> Request:
    return requests(TELEGRAM.send(account, action, first=first))[-1]


def sent(action: SendMessage) -> dict[str, Any]:
    return dict(orjson.loads(request(action).body or b""))


def refused(action: SendMessage) -> Refusal:
    made = TELEGRAM.send(ACCOUNT, action, first=True)
    assert isinstance(made, Refusal)
    return made


def test_a_text_goes_to_the_person() -> None:
    made = request(say("Hello"))
    assert (made.method, made.url) == ("POST", f"https://api.telegram.org/bot{TOKEN}/sendMessage")
    assert sent(say("Hello")) == {"chat_id": 4711, "text": "Hello"}
    assert sent(say("Hello", peer_id="-100123"))["chat_id"] == -100123
    assert sent(say("Hello", peer_id="@news"))["chat_id"] == "@news"


def test_an_answer_goes_into_the_topic_of_its_forum() -> None:
    assert sent(say("Hello", peer_id="-100123").model_copy(update={"thread": "77"})) == {
        "chat_id": -100123, "text": "Hello", "message_thread_id": 77,
    }  # fmt: skip


def test_a_server_of_ones_own_is_asked_instead() -> None:
    account = account_of(CONNECTOR, CREDENTIALS, api_base_url="http://127.0.0.1:8081/")
    assert request(say("Hello"), account=account).url == f"http://127.0.0.1:8081/bot{TOKEN}/sendMessage"


def test_the_token_is_in_nothing_that_is_stored() -> None:
    both = requests(TELEGRAM.send(ACCOUNT, say("Hello", callback_id="cb-1"), first=True))
    assert len(both) == 2
    for each in both:
        assert TOKEN not in f"{each.shown_url}{each.shown_headers}{each.shown_body!r}"
        assert HIDDEN in each.shown_url
        assert set(CREDENTIALS.values()) <= set(each.secrets)


def test_buttons_stay_and_quick_replies_vanish() -> None:
    buttons = (
        Button(title="Lecture 3", payload="l:3"),
        Button(title="Site", url="https://example.com"),
        Button(title="No"),
    )
    assert sent(say("Which?", buttons=buttons))["reply_markup"] == {
        "inline_keyboard": [
            [{"text": "Lecture 3", "callback_data": "l:3"}],
            [{"text": "Site", "url": "https://example.com"}],
            [{"text": "No", "callback_data": "No"}],
        ]
    }
    assert sent(say("Which?", quick_replies=(Button(title="3"), Button(title="4" * 64))))["reply_markup"] == {
        "keyboard": [[{"text": "3"}], [{"text": "4" * 64}]],
        "resize_keyboard": True,
        "one_time_keyboard": True,
    }


def test_what_shares_a_contact_or_a_place_is_a_key_and_vanishes_with_the_next_message() -> None:
    replies = (Button(title="My number", shares="contact"), Button(title="My place", shares="location"))
    assert sent(say("Where?", quick_replies=replies))["reply_markup"]["keyboard"] == [
        [{"text": "My number", "request_contact": True}],
        [{"text": "My place", "request_location": True}],
    ]
    beside = sent(say("Where?", quick_replies=(replies[0], Button(title="y" * 65))))["reply_markup"]["keyboard"]
    assert beside == [[{"text": "My number", "request_contact": True}], [{"text": "y" * 65}]]
    assert sent(say("Thanks", hides_replies=True))["reply_markup"] == {"remove_keyboard": True}


@pytest.mark.parametrize(
    ("type", "method", "field"),
    [
        ("image", "sendPhoto", "photo"),
        ("video", "sendVideo", "video"),
        ("audio", "sendAudio", "audio"),
        ("file", "sendDocument", "document"),
    ],
)
def test_telegram_fetches_a_file_from_its_address(type: Any, method: str, field: str) -> None:
    media = Media(type=type, url="https://shop.example.com/a.bin", name="A")
    action = say("Look", media=media, buttons=(Button(title="Buy", payload="b"),))
    assert request(action).url.endswith(f"/{method}")
    assert sent(action) == {
        "chat_id": 4711, field: media.url, "caption": "Look",
        "reply_markup": {"inline_keyboard": [[{"text": "Buy", "callback_data": "b"}]]},
    }  # fmt: skip
    assert sent(say("", media=media)) == {"chat_id": 4711, field: media.url}
    assert refused(say("x" * 1025, media=media)).code == "text-length"


def test_a_place_is_a_venue_where_it_is_told_what_is_there() -> None:
    point = {"latitude": 52.5, "longitude": -13.4}
    assert request(say("", location=Location(**point))).url.endswith("/sendLocation")
    assert sent(say("", location=Location(**point))) == {"chat_id": 4711, **point}
    named = say("", location=Location(**point, name="Shop"))
    assert request(named).url.endswith("/sendVenue")
    assert sent(named) == {"chat_id": 4711, **point, "title": "Shop", "address": "Shop"}


@pytest.mark.parametrize(
    ("payload", "fits"), [("x" * 64, True), ("x" * 65, False), ("ü" * 32, True), ("ü" * 33, False)]
)
def test_a_buttons_payload_has_64_bytes(payload: str, fits: bool) -> None:
    action = say("Which?", buttons=(Button(title="This", payload=payload),))
    if fits:
        assert sent(action)["reply_markup"]["inline_keyboard"][0][0]["callback_data"] == payload
    else:
        assert refused(action) == ("payload-length", "A button's payload has at most 64 bytes.")


@pytest.mark.parametrize("text", ["", "x" * 4097])
def test_a_text_that_telegram_refuses_is_not_sent(text: str) -> None:
    assert refused(say(text)) == ("text-length", "A Telegram message has 1 to 4096 characters.")


@pytest.mark.parametrize("token", ["", "no-colon", "1:a/../getMe", "1:a?b", "1:a\r\nHost: x"])
def test_a_token_that_would_change_the_url_is_no_token(token: str) -> None:
    account = account_of(CONNECTOR, {"token": token})
    made = (
        TELEGRAM.send(account, say("Hello"), first=True),
        TELEGRAM.acknowledge(account, TAP),
        TELEGRAM.call(account, "getMe", {}),
    )
    assert all(isinstance(each, Refusal) and each.code == "no-token" for each in made)


def test_the_tap_is_acknowledged_before_the_first_attempt_only() -> None:
    made = TELEGRAM.send(ACCOUNT, say("Hello", callback_id="cb-1"), first=True)
    assert isinstance(made, Plan)
    assert [step.role for step in made.steps] == ["courtesy", "message"]
    before, _ = requests(made)
    assert before.url.endswith("/answerCallbackQuery")
    assert orjson.loads(before.body or b"") == {"callback_query_id": "cb-1"}
    assert len(requests(TELEGRAM.send(ACCOUNT, say("Hello", callback_id="cb-1"), first=False))) == 1
    assert len(requests(TELEGRAM.send(ACCOUNT, say("Hello"), first=True))) == 1
    tap: AcknowledgeTap = TAP.model_copy(update={"callback_id": "cb-1"})
    assert [each.body for each in requests(TELEGRAM.acknowledge(ACCOUNT, tap))] == [before.body]


def test_set_webhook_gets_what_is_secret_from_the_credentials_and_does_not_show_it() -> None:
    (made,) = requests(TELEGRAM.call(ACCOUNT, "setWebhook", {"allowed_updates": ["message"]}))
    assert orjson.loads(made.body or b"") == {
        "allowed_updates": ["message"],
        "url": CREDENTIALS["inbound_url"],
        "secret_token": CREDENTIALS["secret_token"],
    }
    assert orjson.loads(made.shown_body) == {"allowed_updates": ["message"]}
    assert [orjson.loads(each.body or b"") for each in requests(TELEGRAM.call(ACCOUNT, "getMe", {}))] == [{}]


@pytest.mark.parametrize("name", ["../x", "get_me", "", "getMe?x=1"])
def test_a_method_is_letters(name: str) -> None:
    made = TELEGRAM.call(ACCOUNT, name, {})
    assert isinstance(made, Refusal)
    assert made.code == "bad-method"


def test_quick_replies_beside_buttons_and_with_long_titles_are_buttons_too() -> None:
    more, yes = Button(title="More", url="https://a.example/"), Button(title="Yes", payload="~1.yes")
    both = sent(say("?", buttons=(more,), quick_replies=(yes,)))["reply_markup"]["inline_keyboard"]
    assert both == [[{"text": "More", "url": "https://a.example/"}], [{"text": "Yes", "callback_data": "~1.yes"}]]
    long = Button(title="x" * 65, payload="~1.long")
    shown = sent(say("?", quick_replies=(yes, long)))["reply_markup"]["inline_keyboard"]
    assert [row[0]["callback_data"] for row in shown] == ["~1.yes", "~1.long"]
    named = sent(say("?", quick_replies=(Button(title="ü" * 65),)))["reply_markup"]["inline_keyboard"]
    assert named == [[{"text": "ü" * 65, "callback_data": "ü" * 32}]]
    kept = sent(say("?", quick_replies=(yes, Button(title="y" * 64))))["reply_markup"]["keyboard"]
    assert [row[0]["text"] for row in kept] == ["Yes", "y" * 64]
