"""How each platform's own words become inbound records: one pure module per channel type, told apart here.

`/v1/in/{channel}` is read by the module of the channel's own type only, so that no channel is fed through another's parser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contracts.inbound import InboundBase
from contracts.registry import Channel
from ingress.channels import telegram

Normaliser = Callable[[dict[str, Any], Channel, str], list[tuple[str, InboundBase]]]
"""`(update, channel, received_at)` -> records with their event ids; an empty list for what concerns nobody.

Raises ValueError, KeyError or TypeError for what the platform never sends.
"""

NORMALISERS: dict[str, Normaliser] = {"telegram": telegram.normalise}
