"""Telegram, Bot API 10.2: core.telegram.org/bots/api.

`facts`: what it needs and can do · `updates`: what it posts to us · `requests`: messages and checks · `answers`: what its
answers mean, such as the 403 by which a person turns out to have blocked the bot.
"""

from __future__ import annotations

from channels.port import Connector
from channels.telegram.facts import DESCRIPTOR
from channels.telegram.platform import Telegram

CONNECTOR = Connector(DESCRIPTOR, Telegram())
