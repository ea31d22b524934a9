"""ToyChat's facts."""

from __future__ import annotations

from typing import Any

from channels.descriptor import BaseUrl, Check, Credential, Descriptor, Found, Rate, Rates
from channels.limits import Length, Limits

SIGNATURE = "x-toy-signature"


def _whoami(answer: Any, found: Found) -> Found:
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), str):
        return found
    return Found(answer["id"], answer.get("page"), {**found.learned, "confirmation": str(answer.get("confirmation"))})


DESCRIPTOR = Descriptor(
    type="toychat",
    title="ToyChat",
    methods=("GET", "POST"),
    credentials=(
        Credential("key", "The API key", r"[a-z0-9-]{8,64}"),
        Credential("app_secret", "Signs what ToyChat posts"),
        Credential("verify_token", "What ToyChat shows when it asks whether we are here", origin="made"),
        Credential("confirmation", "What ToyChat wants to hear first", origin="learned"),
    ),
    credentials_hint="ToyChat's are {key, app_secret}, from its settings page.",
    base_url=BaseUrl("https://api.toychat.example", settable=True),
    opens_secrets=True,
    proof_headers=(SIGNATURE,),
    checks=(Check("whoami", read=_whoami), Check("hooks", params=lambda found: {"bot": found.external_id}, subscribes=True)),
    by_hand="Enter inbound_url and verify_token on ToyChat's settings page.",
    limits=Limits(text=Length(200, "bytes", least=1), buttons=0, quick_replies=0),
    rates=Rates(in_flight=2, bot=Rate(20), pair=Rate(1, 6)),
    capabilities=frozenset({"repeat_safe"}),
    window_seconds=24 * 3600,
)  # fmt: skip
