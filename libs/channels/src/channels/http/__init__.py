"""The Bot API's channel: a program speaks for a person, and reads what the bot says."""

from __future__ import annotations

from channels.descriptor import SHOWS, Descriptor, SendPulse
from channels.port import Connector

CONNECTOR = Connector(
    Descriptor(
        type="http",
        title="HTTP",
        inbound_path="talk/{bot}/sessions",
        capabilities=SHOWS | {"repeat_safe"},
        sendpulse=SendPulse(message_kinds=("text", "payload", "attachments", "location", "contact")),
    )
)
