"""What the fields of answers mean that mean the same wherever they stand: their text in the OpenAPI documents, and an example.

A field's own docstring goes before. A name that means something else in one model stands here as `Model.field`, too.
"""

from __future__ import annotations

from typing import Any, NamedTuple

ID = "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1e05"
MOMENT = "2026-11-21T00:01:00.000Z"


class Word(NamedTuple):
    """`example` None: an object, a list, one of a few words, or true or false: its schema shows it."""

    text: str
    example: Any = None


WORDS: dict[str, Word] = {
    "acls": Word(
        "What its programs have to be granted: arguments of `kafka-acls.sh --add`; `<user>` stands for their Kafka user"
    ),
    "address": Word("Where the place is, in words", "Alexanderplatz 1"),
    "agent_id": Word("The agent who acts by it, by its id", ID),
    "FlowDiff.from": Word("The number of one version", 1),
    "FlowDiff.to": Word("The number of the other one", 2),
    "FlowDiff.nodes": Word("Of the nodes, what differs"),
    "FlowDiff.triggers": Word("Of the triggers, what differs"),
    "FlowDiff.variables": Word("Of the variables, what differs"),
    "FlowDiff.changes": Word("Each value that differs, in the order of the pointers"),
    "Agent.bots": Word("Whose conversations it sees, by the bots' ids; empty: those of all bots"),
    "allowed_cidrs": Word("The networks from which the token is taken, as CIDR; empty: from anywhere"),
    "allowed_origins": Word(
        "The sites whose pages may open this web chat, each named by itself; empty: only pages of this installation"
    ),
    "answer": Word(
        "What the flow made of it: the answer that its `say` steps and its end give", "Your order is on its way."
    ),
    "api_base_url": Word("Where the platform's API is, if not at its usual place", "https://api.telegram.org"),
    "asked_at": Word("When it was asked for, RFC 3339 UTC; null: that is not known yet", MOMENT),
    "at": Word("When, RFC 3339 UTC", MOMENT),
    "attempts": Word("How often it was tried", 3),
    "cards": Word("Cards that stand side by side"),
    "degraded": Word("What the channel cannot show, and is said in words: `image`, `cards`, …"),
    "hides_replies": Word("Whether quick replies of an earlier message vanish with it", True),
    "shares": Word("Of a quick reply by which the person shares something: `contact` or `location`", "contact"),
    "duration": Word("Its seconds", 12),
    "DeadLetter.id": Word("Its id", "flow-engine-1-17"),
    "DeadLetterShown.id": Word("Its id", "flow-engine-1-17"),
    "DeliveryWithAttempts.attempts": Word("Each attempt, the first one first"),
    "attempts_made": Word("How often it was tried", 3),
    "auth": Word("How a caller proves who it is"),
    "ApiCall.kind": Word("`http`: an API that flows call; `model`: a language model", "http"),
    "ApiCall.parameters": Word("What a model may give that has it as a tool: name and type"),
    "model": Word("Of a language model: its name, as its server knows it", "gpt-4o-mini"),
    "max_tokens": Word("Of a language model: how long one answer may be, in tokens", 1024),
    "turn_tokens": Word(
        "Of a language model: what all questions and answers for one node may come to, in tokens", 50000
    ),
    "ApiCall.auth": Word("The secret whose value is the Authorization header, by its name", "shop-key"),
    "back_text": Word("What the bot answers to who comes back", "You are subscribed again."),
    "body": Word("The body, any JSON"),
    "body_example": Word("A body that starts the flow, to be copied: its values are examples"),
    "bot_id": Word("The bot, by its id", ID),
    "bots": Word("Only events of these bots, by their ids; empty: of all"),
    "buttons": Word("The buttons below the text"),
    "channel_id": Word("The channel, by its id", ID),
    "circuit": Word("Whether requests go there: closed, open or half open"),
    "code": Word("Why, as a word that programs can go by", "timeout"),
    "command": Word("The command that the URL runs", "/start"),
    "confirm": Word("Whether a person who opens it is asked before anything happens"),
    "content": Word("What it brings along, any JSON"),
    "ChatMessage.content": Word("What the person sees: text, buttons, attachments"),
    "commands_topic": Word(
        "The topic that its programs write commands to, as it is called on Kafka", "switchhook.project.shop.commands.v1"
    ),
    "events_topic": Word(
        "The topic that its events are copied to, as it is called on Kafka", "switchhook.project.shop.events.v1"
    ),
    "groups": Word("What the consumer groups of its programs begin with", "switchhook.project.shop."),
    "content_length": Word("Bytes of the body", 64),
    "conversation": Word("The conversation, by its id", ID),
    "conversation_id": Word("The conversation, by its id", ID),
    "created_at": Word("When it was made, RFC 3339 UTC", MOMENT),
    "deliveries": Word("What was sent because of it"),
    "description": Word("For people who read it", "Asks the shop for the price"),
    "detail": Word("What is wrong, as a sentence", "name has at least one character."),
    "discarded": Word("How many events were discarded", 2),
    "document": Word("The flow, `flow/1`"),
    "draft_version": Word("How often its draft was saved", 4),
    "email": Word("An e-mail address", "ann@example.com"),
    "endpoint_id": Word("The endpoint, by its id", ID),
    "entry": Word("Where it enters the flow: the id of one of its webhook triggers", "bought"),
    "error": Word("Why it failed, as a sentence", "The receiver answered 503."),
    "errors": Word("What is wrong with which fields"),
    "event": Word("The event that it tells of"),
    "event_id": Word("The event, by its id: `GET /v1/events/{id}` tells what became of it", ID),
    "events": Word("The types of events that it gets; `*`: all"),
    "HeldConversation.events": Word("How many events wait", 2),
    "HeldShown.events": Word("How many events wait", 2),
    "expires_at": Word("When it ends, RFC 3339 UTC; left out: never", MOMENT),
    "expires_in": Word("For so many seconds the token is taken", 3600),
    "external_id": Word("What your own system calls the person", "customer-17"),
    "Channel.external_id": Word("The bot's own id on the platform", "110201543"),
    "MadeChannel.external_id": Word("The bot's own id on the platform", "110201543"),
    "ChannelChecked.external_id": Word("The bot's own id on the platform", "110201543"),
    "filter": Word("A condition (CEL): only events for which it is true", "event.data.flow.slug == 'order'"),
    "finished_at": Word("When it reached its end, RFC 3339 UTC", MOMENT),
    "flow_id": Word("The flow, by its id", ID),
    "flow_version": Word("The version of the flow", 3),
    "format": Word("How the body of a webhook is made"),
    "group_peer_id": Word("The group in which it starts, as the platform names it", "-1001234567890"),
    "headers": Word("Headers by name; a value that is secret is shown as `[hidden]`"),
    "held_at": Word("Since when it waits, RFC 3339 UTC", MOMENT),
    "hint": Word("What to do next, as a sentence", "Post the body_example to the url."),
    "Trigger.hint": Word("How a caller proves itself here, as a sentence", "Send the token as Authorization: Bearer."),
    "MadeTrigger.hint": Word(
        "How a caller proves itself here, as a sentence", "Send the token as Authorization: Bearer."
    ),
    "hints": Word("What to do next, as sentences"),
    "hosts": Word("Where the value may be sent; empty: no API call has named it"),
    "id": Word("Its id", ID),
    "idempotent": Word("Whether it may be made once more when its answer was lost"),
    "image": Word("The URL of its picture", "https://example.com/tea.png"),
    "inbound_url": Word(
        "Where the platform posts what happens; whoever knows it can post there", "https://bots.example.com/v1/in/…"
    ),
    "ip": Word("The caller's address", "192.0.2.7"),
    "items": Word("Those of this page"),
    "key": Word("The record's key", "<bot>/<channel>/<peer>"),
    "kind": Word("What sort it is", "event"),
    "last_seen_at": Word("When the person last wrote, RFC 3339 UTC", MOMENT),
    "last_seq": Word("The `seq` of the last message: `after` of the next call", 4),
    "latitude": Word("Degrees north", 52.52),
    "location": Word("A place beside the text"),
    "longitude": Word("Degrees east", 13.405),
    "media": Word("A picture, video, recording or other file beside the text, by its URL"),
    "mime": Word("Its MIME type", "image/png"),
    "Chat.peer_id": Word("The id that the channel has of it: what a trigger takes as `peer_id`", "-1001489215306"),
    "size": Word("Its bytes", 48213),
    "Chat.title": Word("What the group, or the person, is called", "Book club"),
    "Conversation.channel_type": Word("`telegram`, `webchat`, `http`, …", "telegram"),
    "Conversation.since": Word("Since when it is in this state, RFC 3339 UTC; null: it was always the bot's", MOMENT),
    "Conversation.unread": Word("The person's messages that no agent has read, since the bot gave it away", 2),
    "contact_name": Word("What the person is called", "Ann Lee"),
    "last_message": Word("What the person wrote last", "Is anybody there?"),
    "queue": Word("What the flow's `live_chat` node calls the matter", "Refund for Ann"),
    "PresenceShown.until": Word("Until when that holds, RFC 3339 UTC; the agent is offline then", MOMENT),
    "last_user_message_at": Word("When the person last wrote there, RFC 3339 UTC", MOMENT),
    "max_in_flight": Word("How many requests there may be at once", 16),
    "message": Word("Why it could not be processed, as a sentence", "ce_time: is no time"),
    "message_id": Word("The message, by its id", ID),
    "messages": Word("What the bot said, in order"),
    "method": Word("The HTTP method"),
    "name": Word("Its name, for people; an API call or secret is called by it", "Conference"),
    "next": Word("The `cursor` of the next page; null: this was the last one", "eyJhZnRlciI6IDE3fQ"),
    "next_attempt_at": Word("When it is tried next, RFC 3339 UTC", MOMENT),
    "next_try": Word("When a request is tried next, RFC 3339 UTC", MOMENT),
    "node": Word("The node of the flow, by its name", "ask_email"),
    "number": Word("Which attempt it is, from 1", 1),
    "offset": Word("Its offset in the topic's partition", 1742),
    "ordered": Word("Whether the events of a conversation arrive in their order"),
    "outcome": Word("What became of it", "succeeded"),
    "params": Word("Parameters: of the query with GET, of the JSON body with POST"),
    "partition": Word("The topic's partition", 3),
    "payload": Word("What the bot hears when it is tapped", "yes"),
    "peer_id": Word("The person, as the channel names them", "customer-17"),
    "person": Word("Whom the URL is for"),
    "phone": Word("A phone number with its country's code", "+491701234567"),
    "photo": Word("The URL of a picture", "https://example.com/bot.png"),
    "pointer": Word("Where in the body: a JSON pointer", "#/name"),
    "port": Word("The port by which it was left", "next"),
    "position": Word("Its place in the queue", 17),
    "problem": Word("Why it was refused or failed, as a problem (RFC 9457)"),
    "problems": Word("What the checker found"),
    "CallShown.problems": Word("What is wrong with the answer, as sentences"),
    "project_id": Word("The project, by its id", ID),
    "published": Word("The version that new sessions start on; left out: none", 3),
    "published_at": Word(
        "When it was published, or published again, RFC 3339 UTC: its schedules hold from then on", MOMENT
    ),
    "VersionShown.published": Word("Whether new sessions start on it"),
    "VersionWithDocument.published": Word("Whether new sessions start on it"),
    "quick_replies": Word("Answers to choose from, shown below the chat"),
    "rate_limit": Word("How many requests in how many seconds there may be"),
    "own_topics": Word("Whether it has topics of its own on Kafka"),
    "rate_limits": Word("How many requests the project's callers may make"),
    "reason": Word("Why, as a sentence", "The receiver answered 410 Gone."),
    "redirect_to": Word("Where who opens it is led afterwards", "https://example.com/thanks"),
    "replaced_by": Word("The token that it was rotated to, by its id", ID),
    "request": Word("What was sent, without secrets"),
    "response": Word("What came back, the beginning of it"),
    "ApiCall.response": Word("How the answer is read: `envelope` with messages and variables, or `raw`"),
    "retired": Word("Versions up to this one cannot be published again; they stay for who stands on them", 0),
    "schedule": Word("After how many seconds it is tried again, attempt by attempt"),
    "schedules": Word("The triggers of the published version that the clock fires"),
    "Schedule.cron": Word("When, as a cron expression", "0 9 * * MON-FRI"),
    "Schedule.grace": Word("How late it may begin with somebody, ISO 8601", "PT1H"),
    "Schedule.rate": Word("People a second, at most", 20.0),
    "Schedule.segment": Word("With whom: the segment, by its name; null: all contacts", "students"),
    "Schedule.timezone": Word("In which time zone", "Europe/Riga"),
    "Schedule.trigger": Word("The trigger, by its id", "mornings"),
    "scheme": Word("`token`: a token is sent along; `url`: whoever knows the URL may call it"),
    "scopes": Word("What the token may do"),
    "secret": Word("The signing secret, shown this once", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    "seq": Word("The number of the message in its conversation; it only rises", 4),
    "service": Word("The service that could not process it", "flow-engine"),
    "session_id": Word("The session: it stands in the path of what is said and heard in it", "eyJkb29yIjoidGFsayJ9…"),
    "severity": Word("`error`: it cannot be published; `warning`: it can", "warning"),
    "signing_secret": Word(
        "What signs the webhooks that flows post to inline URLs, shown this once",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    ),
    "signing_secret_hint": Word("The end of the signing secret, to tell it by", "…aLaSw"),
    "since": Word("Since when, RFC 3339 UTC", MOMENT),
    "single_use": Word("Whether it works once only"),
    "slug": Word("Its name in documents and paths", "order"),
    "started_at": Word("When it began, RFC 3339 UTC", MOMENT),
    "state": Word("How it stands"),
    "status": Word("How it stands", "started"),
    "Problem.status": Word("The HTTP status", 422),
    "AttemptShown.status": Word("The HTTP status of the answer", 200),
    "CallShown.status": Word("The HTTP status of the answer", 200),
    "TriggerRequest.status": Word("The HTTP status that it was answered", 202),
    "steps": Word("The nodes that it went through, in order"),
    "target": Word("Where it goes"),
    "template": Word(
        "The body as a Liquid template, of the format `template`", '{"text": {{ data.message.text | json }}}'
    ),
    "text": Word("The text", "Hello"),
    "timeout_seconds": Word("For so long an answer is waited for", 15),
    "title": Word("What it says, in a few words", "Yes"),
    "title_map": Word("Other names for types of events, in the formats of other products"),
    "token": Word("The token; it is shown this once", "swh_2f6b…"),
    "WebSession.token": Word("Proves the session: `Authorization: Bearer …`", "eyJkb29yIjoid2ViIn0…"),
    "token_id": Word("The trigger's token, by its id", ID),
    "took_ms": Word("Milliseconds until the answer was there", 41),
    "topic": Word("The topic that it came from", "switchhook.inbound.v1"),
    "type": Word("What it is", "endpoint"),
    "Channel.type": Word("The type of channel", "telegram"),
    "MadeChannel.type": Word("The type of channel", "telegram"),
    "DeadLetter.type": Word("What the record is", "inbound.message"),
    "DeadLetterShown.type": Word("What the record is", "inbound.message"),
    "EventRef.type": Word("The type of event", "message.received"),
    "Step.type": Word("The type of node", "ask"),
    "Problem.type": Word("What is wrong: a page of the documentation", "https://switchhook.dev/problems/invalid"),
    "updated_at": Word("When it was changed last, RFC 3339 UTC", MOMENT),
    "url": Word("The URL", "https://example.com/hook"),
    "value": Word("The record's value: JSON, or text with what is no text replaced", '{"kind": "message"}'),
    "value_bytes": Word("Bytes of the whole value", 512),
    "Bot.opt_out": Word("The words by which people unsubscribe; null: there are none"),
    "variables": Word("What flows read as `bot.<name>`"),
    "TracedAnswer.call": Word("The `id` of the call, which an earlier turn made", ID),
    "TracedAnswer.status": Word("Of the HTTP answer; null: there was none", 200),
    "TracedTurn.turn": Word("Counts the turns of the conversation; those in which nothing ran are left out", 12),
    "version": Word("How often it was changed: its ETag without the quotes", 2),
    "VersionShown.version": Word("The number of the version", 3),
    "VersionWithDocument.version": Word("The number of the version", 3),
    "PublishedNow.version": Word("The number of the version", 3),
    "Published.version": Word("The number of the version", 3),
    "warnings": Word("What the token may do more than it seems to need, as sentences"),
    "webhook": Word("The endpoint that the project's `webhook_url` made"),
    "webhook_set": Word("Whether the platform posts to us"),
    "webhook_url": Word("Where all events of the project are posted", "https://example.com/events"),
    "window_until": Word("Until when the bot may write", MOMENT),
    "bot": Word("The bot, by its id", ID),
    "birthday": Word("A date", "1990-05-17"),
    "city": Word("A city", "Riga"),
    "client_message_id": Word("Your own name for the message", "m-17"),
    "contact_id": Word("The id of a contact", ID),
    "count": Word("How many", 60),
    "country": Word("A country", "LV"),
    "first_name": Word("The given name", "Ann"),
    "flow": Word("The flow: its id or slug", "order"),
    "language": Word("A language tag", "en"),
    "last_name": Word("The family name", "Lee"),
    "locale": Word("The visitor's language", "en-GB"),
    "overlap_seconds": Word("How long the old one goes on working", 3600),
    "per_seconds": Word("In how many seconds", 10),
    "timezone": Word("A time zone", "Europe/Riga"),
    "StoreErased.erased": Word("Of how many of these it has nothing any more", 2),
    "StoreErased.keys": Word("Conversations, and contacts that were merged, of which it had something", 2),
    "StoreErased.what": Word("What it kept", "what was to be delivered, requests and answers"),
    "Remains.until": Word("When the last of it is gone, RFC 3339 UTC; null: that is up to whoever keeps it", MOMENT),
    "Remains.what": Word("What these are", "events about the person"),
    "Remains.where": Word("A topic of Kafka, or what else", "switchhook.events.v1"),
    "Erasure.contact_id": Word("The contact that was erased, by its id", ID),
    "url_sha256": Word(
        "SHA-256 (hex) of the secret in the URL", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    ),
    "user_id": Word("Another name for the person's `contact_id`", ID),
    "username": Word("The name on the platform", "ann"),
    "wait": Word("Seconds that the answer is waited for at most", 5),
}


def tell(schemas: dict[str, dict[str, Any]]) -> None:
    """Give each field of these models its text and its example, where it has none of its own."""
    for model, schema in schemas.items():
        for name, shown in schema.get("properties", {}).items():
            word = WORDS.get(f"{model}.{name}") or WORDS.get(name)
            if word is None:
                continue
            if "$ref" not in shown:
                shown.setdefault("description", word.text)
            else:  # Beside a reference nothing is read by older tools.
                schema["properties"][name] = {"allOf": [shown], "description": word.text}
            if word.example is not None and "examples" not in shown and is_plain(shown):
                shown["examples"] = [word.example]


def is_plain(shown: dict[str, Any]) -> bool:
    """Whether it is a text or a number of which its schema does not say more."""
    if shown.keys() & {"enum", "const", "pattern", "writeOnly", "$ref"}:
        return False
    kinds = [one for one in shown.get("anyOf", [shown]) if one.get("type") != "null"]
    return bool(kinds) and all(
        one.get("type") in ("string", "integer", "number") and not one.keys() & {"enum", "const", "pattern"}
        for one in kinds
    )
