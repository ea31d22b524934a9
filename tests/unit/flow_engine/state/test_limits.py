"""What is kept of a conversation and of a contact has a size, which is looked at before anything is committed."""

from __future__ import annotations

import pytest

from flow_engine.state.limits import CONTACT_LIMIT, STATE_LIMIT, TooLarge, check_contact, encoded_state
from flowlang.model import Contact, Conversation

NOW = "2026-11-21T12:00:00Z"


@pytest.mark.parametrize(("size", "fits"), [(STATE_LIMIT - 1000, True), (STATE_LIMIT, False)])
def test_a_conversations_state_has_a_size(size: int, fits: bool) -> None:
    conversation = Conversation("b/c/1", "p", "b", "c", "telegram", "1", "k1")
    conversation.chat = "x" * size
    if fits:
        assert size < len(encoded_state(conversation, NOW)) <= STATE_LIMIT
        return
    with pytest.raises(TooLarge, match="conversation's state"):
        encoded_state(conversation, NOW)


def test_a_contact_has_a_size() -> None:
    check_contact(Contact("k1", {}, {"a": "x" * (CONTACT_LIMIT - 1000)}))
    with pytest.raises(TooLarge, match="contact"):
        check_contact(Contact("k1", {}, {"a": "x" * CONTACT_LIMIT}))
