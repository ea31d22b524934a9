"""ToyChat, a platform that shows pictures only: a channel as somebody else's package brings it."""

from __future__ import annotations

from channels.port import Connector

from .facts import DESCRIPTOR
from .platform import ToyChat

CONNECTOR = Connector(DESCRIPTOR, ToyChat())
