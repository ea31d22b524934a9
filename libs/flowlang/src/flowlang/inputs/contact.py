"""`contact`: a contact that the person shares: their own, or another person's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from flowlang.building.compiler import Compiler
from flowlang.expressions.scopes import Scopes
from flowlang.inputs.base import Answer, Free, Invalid, Reader, Shared, attachment_of
from flowlang.inputs.phone import e164

_NAMES = ("first_name", "last_name")


class ContactInput(Shared):
    """A shared contact. Keeps `{phone (E.164), first_name, last_name, verified}`, without what is not told; `verified`: the
    platform vouches that it is the person's own."""

    SHARES: ClassVar = "contact"

    type: Literal["contact"]
    """A contact that the person shares; `{phone, first_name, last_name, verified}` is kept, as far as it is told."""
    own: bool = False
    """Whether it has to be the person's own, by the platform's word: only Telegram gives that."""

    def build(self, compiler: Compiler) -> Reader:
        return _ContactReader(self.own)


@dataclass(frozen=True, slots=True)
class _ContactReader(Free):
    own: bool

    def read(self, message: dict[str, Any], tapped: str | None, scopes: Scopes) -> Answer:
        shared = attachment_of(message, "contact")
        number = e164(str(shared.get("phone") or ""), None, shared=True) if shared else None
        if shared is None or number is None:
            raise Invalid("a contact with a phone number is expected")
        verified = shared.get("verified") is True
        if self.own and not verified:
            raise Invalid("the person's own contact is expected")
        names = {name: shared[name] for name in _NAMES if isinstance(shared.get(name), str)}
        return Answer({"phone": number, **names, "verified": verified})
