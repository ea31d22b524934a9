"""Signs the URLs that flows make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.ids import derived_id
from contracts.links import HookLink, RedirectLink
from contracts.people import Person
from servicekit.credentials.links import LinkKeys


class LinkMaker:
    """Generated URLs, which run a command, and tracked links, which lead elsewhere and tell that they were opened."""

    def __init__(self, keys: LinkKeys | None, public_url: str) -> None:
        self._keys, self._public_url = keys, public_url

    def for_bot(self, project_id: str, bot_id: str) -> Callable[[str, dict[str, Any]], str]:
        """`sign_link` of flowlang.model.Tools. Raises ValueError without a link key."""

        def sign(kind: str, payload: dict[str, Any]) -> str:
            if self._keys is None:
                raise ValueError("generated URLs need SWITCHHOOK_LINK_KEY")
            made = _hook(bot_id, payload) if kind == "command" else _redirect(bot_id, payload)
            purpose: Any = "w" if kind == "command" else "r"
            text = self._keys.sign_link(purpose, project_id, made.model_dump(mode="json", exclude_none=True))
            return f"{self._public_url}/v1/{purpose}/{text}"

        return sign


def _hook(bot_id: str, payload: dict[str, Any]) -> HookLink:
    person = payload.get("person")
    return HookLink(
        link_id=derived_id("link", payload["jti"]),
        bot_id=bot_id,
        command=payload["command"],
        content=payload.get("content"),
        person=Person.model_validate(person) if person else None,
        redirect_to=payload.get("redirect_to"),
        expires_at=payload.get("expires_at"),
        single_use=bool(payload.get("single_use")),
        confirm=bool(payload.get("confirm")),
    )


def _redirect(bot_id: str, payload: dict[str, Any]) -> RedirectLink:
    return RedirectLink(
        link_id=derived_id("link", payload["jti"]),
        bot_id=bot_id,
        conversation=payload.get("conversation", ""),
        url=payload["url"],
        contact_id=payload.get("contact_id"),
        node=payload.get("node"),
        expires_at=payload.get("expires_at"),
    )
