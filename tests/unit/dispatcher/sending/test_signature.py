"""What the standard's own library says of our signatures."""

from __future__ import annotations

import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from dispatcher.model.catalogue import signing_key
from dispatcher.sending.signature import signature
from support.deliveries import webhook_secret

BODY = '{"type":"message.received","timestamp":"2026-11-21T00:00:00Z","data":{"text":"Größe?"}}'.encode()


def headers(*secrets: str, at: float | None = None) -> dict[str, str]:
    sent_at = int(at or time.time())
    return {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(sent_at),
        "webhook-signature": signature(tuple(map(signing_key, secrets)), "msg-1", sent_at, BODY),
    }


def test_the_standards_library_accepts_it() -> None:
    assert Webhook(webhook_secret()).verify(BODY, headers(webhook_secret()))["type"] == "message.received"


def test_during_a_rotation_both_secrets_verify() -> None:
    both = headers(webhook_secret(2), webhook_secret(1))
    for seed in (1, 2):
        Webhook(webhook_secret(seed)).verify(BODY, both)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body", "secret"])
def test_nothing_of_it_can_be_changed(changed: str) -> None:
    sent, body, secret = headers(webhook_secret()), BODY, webhook_secret()
    if changed == "body":
        body += b" "
    elif changed == "secret":
        secret = webhook_secret(3)
    else:
        sent[changed] = {"webhook-id": "msg-2", "webhook-timestamp": str(int(time.time()) - 1)}[changed]
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(secret).verify(body, sent)


def test_the_bytes_are_those_of_the_specification() -> None:
    key = signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature((key,), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_is_not_base64_is_refused() -> None:
    with pytest.raises(ValueError, match="base64"):
        signing_key("whsec_not base64")
