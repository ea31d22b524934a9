"""Whether the bot may write to a peer, and if not, which condition fails: it never talked, it refused, it is not in the chat."""

from __future__ import annotations

from flowlang.model import Conversation, Refused

_PRIVATE = {
    "unknown": (
        "has-not-talked",
        "This person has never written to the bot. Ask them to open the chat and send a message first.",
    ),
    "unsubscribed": (
        "messages-not-allowed",
        "This person has stopped messages from the bot. They can allow them again in the chat.",
    ),
    "blocked": ("blocked", "This person has blocked the bot. Only they can lift that, in the chat."),
    "unreachable": (
        "messages-not-allowed",
        "The messenger says that this person cannot be written to: the account is closed or takes no messages.",
    ),
    "not_in_chat": ("not-in-chat", "The bot is not in this chat any more. Add it again."),
}
_OPTED_OUT = Refused(
    "peer-not-reachable",
    409,
    "This person has unsubscribed from the bot. They can subscribe again by sending /start.",
    "messages-not-allowed",
)
_GROUP_REASON = {"blocked": "not-in-chat", "unknown": "not-in-chat", "unreachable": "not-in-chat"}
_GROUP_DETAIL = {
    "not-in-chat": "The bot is not a member of this group, or has not seen it yet. Add it to the group.",
    "messages-not-allowed": "The bot may not write in this group. Give it the right to, in the group's settings.",
}


def why_unreachable(conversation: Conversation) -> Refused | None:
    """None when the bot may write: the person talked to it and allows messages, or it is a member of the group."""
    state = conversation.reachable
    if state == "subscribed":
        return None
    reason, detail = _PRIVATE.get(state, _PRIVATE["unknown"])
    if conversation.chat == "group":
        reason = _GROUP_REASON.get(state, reason)
        detail = _GROUP_DETAIL[reason]
    return Refused("peer-not-reachable", 409, detail, reason)


def why_not_written(conversation: Conversation, *, unasked: bool) -> Refused | None:
    """Why a flow may not write here; `unasked`: neither the person nor a program has begun it."""
    return why_not_begun(conversation) if unasked else why_unreachable(conversation)


def why_not_begun(conversation: Conversation) -> Refused | None:
    """Why nobody but the person may begin something here: the bot may not write, or they have unsubscribed."""
    return why_unreachable(conversation) or (_OPTED_OUT if conversation.opted_out else None)
