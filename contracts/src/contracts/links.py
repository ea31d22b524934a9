"""What a signed link carries. servicekit.credentials.links signs, encrypts and opens it; the project is not in here.

Purpose `w`: a generated URL that runs a command. Purpose `r`: a tracked redirect. Whoever makes a link encodes one of
these with `model_dump(mode="json", exclude_none=True)`; ingress opens it. Single use and revocation are the engine's.
"""

from __future__ import annotations

from typing import Any

from contracts.model import Model
from contracts.people import Person
from contracts.web_url import WebUrl


class HookLink(Model):
    """`/v1/w/<signed>`. Without a person it is the bot's global URL. `registered`: a `hook_url` entity of `link_id` exists."""

    link_id: str
    bot_id: str
    command: str
    content: Any = None
    person: Person | None = None
    redirect_to: WebUrl | None = None
    expires_at: str | None = None
    single_use: bool = False
    confirm: bool = False
    registered: bool = False


class RedirectLink(Model):
    """`/v1/r/<signed>`: send the visitor to `url` and tell that it was followed from `conversation`."""

    link_id: str
    bot_id: str
    conversation: str
    url: str
    contact_id: str | None = None
    node: str | None = None
    expires_at: str | None = None
