"""The node types. This registry makes the JSON Schema, the reference page and the editor's forms; nothing else names one."""

from __future__ import annotations

from flowlang.nodes.ask import AskModel
from flowlang.nodes.base import NodeModel
from flowlang.nodes.call_api import CallApiModel
from flowlang.nodes.code import CodeModel
from flowlang.nodes.condition import ConditionModel
from flowlang.nodes.delay import DelayModel
from flowlang.nodes.end import EndModel
from flowlang.nodes.hook_url import HookUrlModel
from flowlang.nodes.jump import JumpModel
from flowlang.nodes.labels import FlagModel, TagModel
from flowlang.nodes.say import SayModel
from flowlang.nodes.send_webhook import SendWebhookModel
from flowlang.nodes.set_values import SetModel
from flowlang.nodes.wait_event import WaitEventModel

AnyNode = (
    SayModel | AskModel | ConditionModel | SetModel | TagModel | FlagModel | CallApiModel | SendWebhookModel | WaitEventModel
    | DelayModel | JumpModel | CodeModel | HookUrlModel | EndModel
)  # fmt: skip

NODE_TYPES: dict[str, type[NodeModel]] = {
    "say": SayModel,
    "ask": AskModel,
    "condition": ConditionModel,
    "set": SetModel,
    "tag": TagModel,
    "flag": FlagModel,
    "call_api": CallApiModel,
    "send_webhook": SendWebhookModel,
    "wait_event": WaitEventModel,
    "delay": DelayModel,
    "jump": JumpModel,
    "code": CodeModel,
    "hook_url": HookUrlModel,
    "end": EndModel,
}
"""By the name that `type` has in a document."""
