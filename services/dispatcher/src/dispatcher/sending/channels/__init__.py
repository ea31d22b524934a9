"""One module per channel that the dispatcher sends for, behind one port."""

from __future__ import annotations

from dispatcher.sending.channels import telegram
from dispatcher.sending.channels.port import Channel

CHANNELS: dict[str, Channel] = {"telegram": telegram.CHANNEL}
"""Web chat and `http` are not here: the engine shows their messages itself."""
