"""Telegram, Bot API 10.2: core.telegram.org/bots/api."""

from __future__ import annotations

from channels.port import Connector
from channels.telegram.facts import DESCRIPTOR
from channels.telegram.platform import Telegram

CONNECTOR = Connector(DESCRIPTOR, Telegram())
