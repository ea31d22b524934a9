"""Deliveries, and the registry that they look into, without a process around them."""

from __future__ import annotations

from base64 import b64encode
from datetime import date
from typing import Any
from uuid import UUID

import orjson

from contracts.actions import ActionBase, AskModel, CallApi, HttpRequest, MessageContent, PostWebhook, SendMessage
from contracts.registry import ENTITY_MODELS, ApiCall, Channel, Endpoint, Project, Sealed, Secret
from dispatcher.kinds.table import DELIVERY_KINDS
from dispatcher.model.catalogue import Catalogue
from dispatcher.model.delivery import Delivery
from servicekit.credentials.sealing import KeyRing
from servicekit.credentials.sent_values import sealed_values

PROJECT, BOT, ENDPOINT, CHANNEL, API_CALL = "project-1", "bot-1", "endpoint-1", "channel-1", "api-call-1"
CONVERSATION = f"{BOT}/{CHANNEL}/4711"
DAY, AT, AT_SECONDS = date(2026, 11, 21), "2026-11-21T00:00:00Z", 1795219200
DELIVERY_ID = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1d04"
KEYS = KeyRing(b64encode(bytes(range(32))).decode())
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
_KINDS = {model: kind for kind, model in ENTITY_MODELS.items()}


def webhook_secret(seed: int = 1) -> str:
    """A `whsec_` secret of 32 bytes."""
    return "whsec_" + b64encode(bytes([seed]) * 32).decode()


def sealed(text: str, entity: str, field: str, project: str = PROJECT) -> Sealed:
    return KEYS.seal(text.encode(), project=project, entity=entity, field=field)


class Registry:
    """A registry view of a few entities."""

    def __init__(self, *entities: Any) -> None:
        self.entities = {(_KINDS[type(entity)], entity.id): entity for entity in entities}
        self.gone: set[tuple[str, str]] = set()

    def get(self, kind: str, id: str) -> Any:
        return self.entities.get((kind, id))

    def find(self, kind: str, index: str, value: Any) -> Any:
        assert (kind, index) == ("secret", "name")
        found = (each for (kind, _), each in self.entities.items() if kind == "secret")
        return next((each for each in found if (each.project_id, each.name) == value), None)

    def deleted(self, kind: str, id: str) -> bool:
        return (kind, id) in self.gone


def catalogue_of(*entities: Any) -> Catalogue:
    return Catalogue(Registry(*entities), KEYS)


def project(id: str = PROJECT) -> Project:
    """Its inline webhooks are signed with `webhook_secret(9)`."""
    secret = sealed(webhook_secret(9), id, "signing_secret", id)
    return Project(id=id, name="Conference", slug="conference", signing_secret=secret)


def endpoint(*, id: str = ENDPOINT, secrets: tuple[str, ...] = (webhook_secret(),), **fields: Any) -> Endpoint:
    """Takes every event; signs with `webhook_secret()`."""
    given = {"name": "crm", "url": "https://crm.example.com/hook", "events": ("*",)} | fields
    keys = tuple(sealed(secret, id, "secrets") for secret in secrets)
    return Endpoint(id=id, project_id=PROJECT, secrets=keys, **given)


def sealed_values_of(entity: Any) -> Any:
    """The API call or endpoint as the registry publishes it: what it sends along is sealed and hidden."""
    return entity.model_copy(update=sealed_values(KEYS, entity, None))


def channel(*, id: str = CHANNEL, credentials: dict[str, str] | None = None, **fields: Any) -> Channel:
    """A Telegram channel."""
    given = {"type": "telegram", "name": "Telegram"} | fields
    box = sealed(orjson.dumps(credentials).decode(), id, "credentials") if credentials else None
    return Channel(id=id, project_id=PROJECT, bot_id=BOT, credentials=box, **given)


def api_call(**fields: Any) -> ApiCall:
    given = {"name": "seats-left", "method": "POST", "url": "https://api.example.com/seats"} | fields
    return ApiCall(id=API_CALL, project_id=PROJECT, **given)


def secret(name: str, value: str) -> Secret:
    id = f"secret-{name}"
    return Secret(id=id, project_id=PROJECT, name=name, value=sealed(value, id, "value"))


def event_delivery(event: dict[str, Any], **fields: Any) -> Delivery:
    """An event for ENDPOINT, as it is during its first attempt."""
    given = {"destination": f"endpoint:{ENDPOINT}", "event_type": event["type"], "event_id": "event-1"} | fields
    return _delivery("event", orjson.dumps(event), **given)


def action_delivery(action: ActionBase, **fields: Any) -> Delivery:
    """An action, as it is during its first attempt."""
    [kind] = (each for each in DELIVERY_KINDS.values() if each.action is type(action))
    return _delivery(kind.name, action.encode(), **({"destination": "-", "conversation": action.conversation} | fields))


def _delivery(kind: str, payload: bytes, **fields: Any) -> Delivery:
    return Delivery(
        key=UUID(DELIVERY_ID),
        day=DAY,
        project_id=PROJECT,
        kind=DELIVERY_KINDS[kind],
        queue_id=1,
        source="events/0",
        payload=payload,
        **fields,
    )


def _base(**fields: Any) -> dict[str, Any]:
    return {
        "id": DELIVERY_ID,
        "project_id": PROJECT,
        "bot_id": BOT,
        "conversation": CONVERSATION,
        "day": DAY.isoformat(),
        "created_at": AT,
    } | fields


def say(text: str, *, peer_id: str = "4711", callback_id: str | None = None, **content: Any) -> SendMessage:
    """A message to a person on Telegram."""
    return SendMessage(
        **_base(),
        channel_id=CHANNEL,
        channel_type="telegram",
        peer_id=peer_id,
        seq=1,
        content=MessageContent(text=text, **content),
        expires_at="2026-11-21T00:05:00Z",
        callback_id=callback_id,
    )


def call(**params: Any) -> CallApi:
    return CallApi(**_base(), api_call_id=API_CALL, params=params, wait="wait-1", channel_id=CHANNEL, peer_id="4711")


def http_request(**fields: Any) -> HttpRequest:
    given = {"method": "GET", "url": "https://api.example.com/m", "timeout_seconds": 10, "wait": "wait-1"} | fields
    return HttpRequest(**_base(), **given)


def model(**fields: Any) -> ApiCall:
    """A language model."""
    given = {"kind": "model", "name": "main", "method": "POST", "url": "https://llm.example.com/v1/chat/completions"}
    return ApiCall(id=API_CALL, project_id=PROJECT, **(given | {"model": "small", "timeout_seconds": 20} | fields))


def question(**fields: Any) -> AskModel:
    """A question to it, with one tool."""
    tools = ({"name": "seats-left", "description": "How many.", "parameters": {"day": "string!", "hall": "integer"}},)
    given = {"messages": ({"role": "user", "text": "Seats?"},), "tools": tools, "seconds": 60} | fields
    return AskModel(**_base(), api_call_id=API_CALL, wait="wait-1", channel_id=CHANNEL, peer_id="4711", **given)


def step_webhook(**fields: Any) -> PostWebhook:
    given = {"url": "https://crm.example.com/step", "title": "Reserved", "timestamp": AT, "data": {"seats": 3}} | fields
    return PostWebhook(**_base(), **given)
