"""Who a turn is about."""

from __future__ import annotations

from uuid import UUID

import pytest

from flow_engine.state.stored_state import decode, encode
from flow_engine.turn.effects import addressed
from flow_engine.turn.people import change_reachability, contact_id, named_by_code
from flowlang.model import Conversation

CONVERSATION = Conversation("b/c/1", "p", "b", "c", "telegram", "1", "0198f0c2-6f5e-7a51-8a2e-0d8f8c9b1b02")


def test_a_contacts_id_is_a_uuid7_that_a_second_try_makes_again() -> None:
    first = contact_id("b/c/1", 1_700_000_000_000)
    assert first == contact_id("b/c/1", 1_700_000_000_000) != contact_id("b/c/2", 1_700_000_000_000)
    assert UUID(first).version == 7
    assert UUID(first).int >> 80 == 1_700_000_000_000


def test_only_news_about_reachability_is_told() -> None:
    conversation = Conversation("b/c/1", "p", "b", "c", "telegram", "1", "")
    assert [getattr(e, "type", None) for e in change_reachability(conversation, "subscribed", None)] == [
        "bot.subscribed"
    ]
    assert change_reachability(conversation, "subscribed", None) == []
    assert [getattr(e, "type", None) for e in change_reachability(conversation, "blocked", "x")] == ["bot.blocked"]
    assert change_reachability(conversation, "not_in_chat", None) == []
    assert conversation.reachable == "not_in_chat"


@pytest.mark.parametrize(
    ("person", "key"),
    [
        ({}, "b/c/1"),
        ({"contact_id": CONVERSATION.contact_id}, "b/c/1"),
        ({"peer_id": "7"}, "b/c/7"),
        ({"peer_id": "7", "channel_id": "d"}, "b/d/7"),
        ({"email": "a@b.c"}, "b/-/email:a@b.c"),
    ],
)
def test_a_command_for_a_person_goes_to_their_conversation(person: dict[str, str], key: str) -> None:
    assert addressed(CONVERSATION, person)[0] == key


@pytest.mark.parametrize("person", [{"peer_id": "no such peer"}, {"age": "3"}])
def test_a_person_named_in_no_known_way_is_refused(person: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        addressed(CONVERSATION, person)


def test_code_names_people_by_contact_or_peer() -> None:
    assert named_by_code(None, CONVERSATION) is None
    assert named_by_code(CONVERSATION.contact_id, CONVERSATION) == {"contact_id": CONVERSATION.contact_id}
    assert named_by_code(7, CONVERSATION) == {"channel_id": "c", "peer_id": "7"}


def test_a_stored_conversation_comes_back_whole() -> None:
    conversation = Conversation(
        "b/c/1", "p", "b", "c", "telegram", "1", "contact", version=3, next_seq=5, last_message="hi"
    )
    stored = encode(conversation)
    assert b"contact" not in stored
    assert decode(stored, key="b/c/1", contact_id="contact", version=3) == conversation
