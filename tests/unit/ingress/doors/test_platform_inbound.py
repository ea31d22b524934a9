"""/v1/in/{channel}/{random}."""

from hashlib import sha256

import orjson
import pytest

from contracts.ids import derived_id
from contracts.registry import Channel
from support.ingress_fakes import BOT, CHANNEL, PROJECT

PATH, SECRET = f"/v1/in/{CHANNEL}/r4nd0m", {"x-telegram-bot-api-secret-token": "s3cret"}
CHAT = {"id": 42, "type": "private"}
UPDATE = {
    "update_id": 7,
    "message": {"message_id": 1, "from": {"id": 42, "first_name": "Ann"}, "chat": CHAT, "text": "hi"},
}


@pytest.fixture
def telegram(rig):
    def digest(text):
        return sha256(text.encode()).hexdigest()

    known = {"id": CHANNEL, "project_id": PROJECT, "bot_id": BOT, "name": "tg", "type": "telegram"}
    rig.view.put("channel", Channel(**known, inbound_sha256=digest("r4nd0m"), secret_token_sha256=digest("s3cret")))
    return rig


async def test_an_update_becomes_a_record_of_its_conversation(telegram):
    answer = await telegram.call("POST", PATH, json=UPDATE, headers=SECRET)
    assert answer.status == 200
    (record,) = telegram.publisher.of("switchhook.inbound.v1")
    assert record.key == f"{BOT}/{CHANNEL}/42".encode()
    headers = dict(record.headers)
    assert headers["ce_id"].decode() == derived_id("telegram", CHANNEL, 7)
    assert headers["ce_type"] == b"dev.switchhook.inbound.message"
    assert telegram.inbound[0]["text"] == "hi"


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (PATH, {}, 401),
        (PATH, {"x-telegram-bot-api-secret-token": "other"}, 401),
        (f"/v1/in/{CHANNEL}/guess", SECRET, 404),
        ("/v1/in/nothing/r4nd0m", SECRET, 404),
        (f"/v1/in/{CHANNEL}", SECRET, 404),
    ],
)
async def test_who_does_not_prove_to_be_telegram_is_refused(telegram, path, headers, status):
    assert (await telegram.call("POST", path, json=UPDATE, headers=headers)).status == status
    assert telegram.publisher.records == []


async def test_a_channel_without_secrets_lets_nobody_in(rig):
    assert (await rig.call("POST", f"/v1/in/{CHANNEL}/", json=UPDATE)).status == 404


@pytest.mark.parametrize("type", ["webchat", "http", "vk"])
async def test_a_channel_is_fed_through_its_own_types_parser_only(telegram, type):
    channel = telegram.view.get("channel", CHANNEL)
    telegram.view.put("channel", channel.model_copy(update={"type": type}))
    assert (await telegram.call("POST", PATH, json=UPDATE, headers=SECRET)).status == 404


async def test_an_update_that_cannot_be_read_is_parked_and_not_asked_for_again(telegram):
    update = {"update_id": 8, "message": {"text": "x"}}
    assert (await telegram.call("POST", PATH, json=update, headers=SECRET)).status == 200
    (dead,) = telegram.publisher.of("switchhook.ingress.dlq.v1")
    assert orjson.loads(dead.value) == update
    assert dict(dead.headers)["dlq-error-code"] == b"wrong-schema"


async def test_kafka_gone_asks_telegram_to_come_again(telegram):
    telegram.publisher.down = True
    assert (await telegram.call("POST", PATH, json=UPDATE, headers=SECRET)).status == 503


async def test_what_is_no_conversations_concern_is_taken_and_dropped(telegram):
    assert (await telegram.call("POST", PATH, json={"update_id": 9, "poll": {}}, headers=SECRET)).status == 200
    assert telegram.publisher.records == []
