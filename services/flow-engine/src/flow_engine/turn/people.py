"""The person of a conversation: met with the first message, reachable or not, changed by other programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, TypeAlias
from uuid import UUID

from contracts import inbound
from contracts.imported import ImportedContact
from contracts.people import IDENTIFIERS, Identifier, Profile, identifier
from flow_engine.state.patches import patched, profile_change
from flow_engine.state.work import NewContact, Work
from flow_engine.turn.event import InboundEvent
from flowlang.clock import moment
from flowlang.model import Contact, Conversation, Effect, EmitEvent, PatchContact, Refused

LONGEST_FIELD = 1024
"""Characters of a profile field as a channel tells it."""
Told: TypeAlias = inbound.ContactUpdate | ImportedContact
"""What another program says of a contact."""
_STATE_EVENTS = {
    "subscribed": "bot.subscribed",
    "unsubscribed": "bot.unsubscribed",
    "blocked": "bot.blocked",
}


def contact_id(key: str, at_ms: int) -> str:
    """A new contact's id: shaped as a UUIDv7, and the same when the batch is applied again."""
    digest = int.from_bytes(blake2b(key.encode(), digest_size=10).digest(), "big")
    last = 0b10 << 62 | digest & (1 << 62) - 1
    at, last_hex = f"{at_ms & (1 << 48) - 1:012x}", f"{last:016x}"
    return f"{at[:8]}-{at[8:]}-7{digest >> 68 & 0xFFF:03x}-{last_hex[:4]}-{last_hex[4:]}"


def meet(work: Work, event: InboundEvent, *, subscribed: bool) -> list[Effect]:
    """Give the conversation its contact, made if this is the first we hear of them; what that causes.

    `subscribed`: the person wrote, so the bot may write back. `event.contact` becomes the contact.
    """
    body, conversation = event.body, event.loaded.conversation
    effects: list[Effect] = []
    told = told_of(body.profile)
    if body.verified:
        not_theirs = work.not_theirs.get(event.id, frozenset())
        told = {name: value for name, value in told.items() if name not in not_theirs}
        event.verified = [one for one in verified(body.profile, body.verified) if one[0] not in not_theirs]
    if not conversation.contact_id:
        _recognise(work, event)
    if not conversation.contact_id:
        conversation.contact_id = contact_id(conversation.key, event.arrived.record.timestamp)
        event.contact = Contact(conversation.contact_id, told)
        work.new_contacts[event.contact.id] = NewContact(
            conversation.project_id, conversation.bot_id, moment(event.now)
        )
        effects.append(EmitEvent("contact.created", {}))
    elif told and (change := profile_change(event.contact, told)):
        event.contact = patched(event.contact, change)
        effects += [change, *update_events(event.contact, change)]
    conversation.chat = body.chat
    if subscribed:
        effects += change_reachability(conversation, "subscribed", None)
    return event.has_done(effects)


def _recognise(work: Work, event: InboundEvent) -> None:
    """Take the contact that has the verified external id which the conversation begins with."""
    conversation = event.loaded.conversation
    held = (work.holders.get((conversation.bot_id, *one)) for one in event.verified)
    if found := next(filter(None, held), None):
        conversation.contact_id, event.contact = found, work.contacts[found]
        work.adopted.add(found)


def told_of(profile: Profile) -> dict[str, Any]:
    """The fields that are told, none longer than LONGEST_FIELD."""
    named = profile.model_fields_set
    return {name: value[:LONGEST_FIELD] for name in named if (value := getattr(profile, name)) is not None}


def verified(profile: Profile, names: Iterable[Identifier] = IDENTIFIERS) -> list[tuple[Identifier, str]]:
    """The identifiers among these fields of a profile, each in the one way it is written; the others are only shown."""
    return [(name, value) for name in names if (told := getattr(profile, name)) and (value := identifier(name, told))]


def change_reachability(conversation: Conversation, state: str, reason: str | None) -> list[Effect]:
    """Note whether the bot may write; an event when that is news."""
    if conversation.reachable == state:
        return []
    conversation.reachable = state
    type = _STATE_EVENTS.get(state)
    if state == "not_in_chat" and conversation.chat == "group":
        type = "bot.unsubscribed"  # Somebody took the bot out of the group.
    return [EmitEvent(type, {"reason": reason} if reason else {})] if type else []


def message_view(body: inbound.MessageReceived) -> dict[str, Any]:
    """The `message` of message.received; `provider` is the platform's own."""
    view: dict[str, Any] = {"id": body.message_id, "type": body.type}
    if body.text is not None:
        view["text"] = body.text
    if body.payload is not None:
        view["payload"] = body.payload
    if body.attachments:
        view["attachments"] = body.attachments
    if body.provider:
        view["provider"] = body.provider
    return view


def message_result(body: inbound.MessageResult) -> EmitEvent:
    """message.sent or message.failed of a platform's channel."""
    message: dict[str, Any] = {"id": body.action_id, "seq": body.seq}
    if body.outcome == "sent":
        return EmitEvent("message.sent", {"message": message | {"provider_message_id": body.provider_message_id}})
    error = body.error.model_dump(exclude_none=True) if body.error else {"type": body.outcome}
    return EmitEvent("message.failed", {"message": message, "error": error})


def update(body: Told) -> PatchContact:
    """Another program's change."""
    profile = {f"profile.{name}": value for name, value in told_of(body.profile).items()}
    cleared = dict.fromkeys((f"profile.{name}" for name in body.clear), None)
    variables = {f"variables.{name}": value for name, value in body.variables.items()}
    return PatchContact(
        profile | cleared | variables, body.add_tags, body.remove_tags, body.add_flags, body.remove_flags
    )


def verified_by(body: Told) -> list[tuple[Identifier, str]]:
    """What identifies the person from now on; what was taken back has no value."""
    return [*verified(body.profile), *((name, "") for name in IDENTIFIERS if name in body.clear)]


def changes(contact: Contact, change: PatchContact) -> list[Effect]:
    """A change of a contact and what the outside hears of it; nothing where there is nothing to change."""
    told = update_events(contact, change)
    return [change, *told] if told else []


def update_events(contact: Contact, change: PatchContact) -> list[Effect]:
    """What the outside hears of a change: contact.updated, and of each tag and flag. `contact` is as before or after it."""
    changed = list(change.set)
    updated: list[Effect] = [EmitEvent("contact.updated", {"changed": changed})] if changed else []
    return [*updated, *label_events(change)]


def label_events(change: PatchContact | Told) -> list[Effect]:
    """tag.added, tag.removed, flag.assigned, flag.removed."""
    told = (
        ("tag.added", "tag", change.add_tags),
        ("tag.removed", "tag", change.remove_tags),
        ("flag.assigned", "flag", change.add_flags),
        ("flag.removed", "flag", change.remove_flags),
    )
    return [EmitEvent(type, {name: label}) for type, name, labels in told for label in labels]


def refused_events(body: Any, refused: Refused | None) -> list[EmitEvent]:
    """trigger.rejected, command.rejected: who started a flow, or ran a command for somebody, and did not wait for the answer
    learns of a refusal by it.

    The outcome of a command of commands.v1 is told by ingress, which waits for it.
    """
    if refused is None or not (body.kind == "command" or (body.kind == "start" and body.source == "trigger")):
        return []
    problem = {"type": refused.type, "status": refused.status, "detail": refused.detail, "reason": refused.reason}
    if body.kind == "command":
        return [EmitEvent("command.rejected", {"command": {"kind": "run", "name": body.command}, "problem": problem})]
    told = {"problem": problem, "trigger_id": body.trigger_id, "flow_id": body.flow_id}
    return [EmitEvent("trigger.rejected", {name: value for name, value in told.items() if value is not None})]


def named_by_code(user_id: Any, conversation: Conversation) -> dict[str, Any] | None:
    """The person that `user_id` of a code node means: a contact id, or a peer of this channel; None: nobody."""
    if user_id is None:
        return None
    text = str(user_id)
    try:
        return {"contact_id": str(UUID(text))}
    except ValueError:
        return {"channel_id": conversation.channel_id, "peer_id": text}
