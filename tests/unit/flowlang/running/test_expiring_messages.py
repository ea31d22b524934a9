"""Until when a message is worth sending, as its flow says it."""

from __future__ import annotations

from typing import Any

from flowlang import clock
from flowlang.model import Say


def test_expires_counts_from_what_caused_the_message(talk: Any) -> None:
    t = talk(
        {
            "first": {
                "type": "say",
                "parts": [{"text": "Your code is 1"}],
                "expires": "PT2M",
                "ports": {"next": "second"},
            },
            "second": {"type": "say", "parts": [{"text": "Ask me anything"}], "ports": {"next": "third"}},
            "third": {"type": "ask", "text": "Still there?", "input": {"type": "text"}, "expires": "PT30S"},
        }
    )
    t.say("/go")
    until = [said.expires for said in t.effects(Say)]
    assert until[1] is None
    now = clock.moment(t.now)
    assert [(clock.moment(text) - now).total_seconds() for text in (until[0], until[2])] == [120, 30]
