"""`any_message`: a flow that listens to all that nothing more particular takes."""

from __future__ import annotations

from typing import ClassVar, Literal

from flowlang.triggers.base import Precedence, TriggerModel


class AnyMessageTrigger(TriggerModel):
    """Every message that nothing else took."""

    TAKES: ClassVar = ("message",)
    PRECEDENCE: ClassVar = Precedence.ANY_MESSAGE
    IS_BOUNDED: ClassVar = True

    type: Literal["any_message"]
