"""Web chat: ingress serves the visitors itself, and what the bot says goes to them through replies and the chat log."""

from __future__ import annotations

from channels.descriptor import SHOWS, Descriptor, SendPulse
from channels.port import Connector

CONNECTOR = Connector(
    Descriptor(
        type="webchat",
        title="Web chat",
        inbound_path="web/{channel}/sessions",
        capabilities=SHOWS | {"repeat_safe"},
        sendpulse=SendPulse(
            service="livechat", message_kinds=("text", "payload", "attachments", "location", "contact")
        ),
    )
)
