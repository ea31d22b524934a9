"""Whatever is said and whatever a channel shows: nothing that an author wrote is lost, and what is shown otherwise is named."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowlang.running.parts import TextLimit
from flowlang.running.shown import Said, as_shown

KINDS = ("image", "video", "audio", "file", "location", "cards")
WORDS = st.lists(st.sampled_from(["one", "two", "three"]), max_size=6).map(" ".join)
URL = "https://shop.example.com/a"
BUTTON = {"title": "B", "payload": "~1.b"}
MEDIA = st.builds(lambda type: {"media": {"type": type, "url": URL, "name": "File"}}, st.sampled_from(KINDS[:4]))
PLACE = st.just({"location": {"latitude": 1.5, "longitude": 2.5, "name": "Place"}})
CARD: Any = st.builds(
    lambda image, button: {"title": "Card", **({"image": URL} if image else {}), **({"buttons": (BUTTON,)} if button else {})},
    st.booleans(), st.booleans(),
)  # fmt: skip
MORE = st.one_of(
    st.just({}), MEDIA, PLACE, st.lists(CARD, min_size=1, max_size=4).map(lambda cards: {"cards": tuple(cards)})
)
CHANNELS = st.fixed_dictionaries({
    "shows": st.none() | st.frozensets(st.sampled_from(KINDS)),
    "text_limit": st.none() | st.just(TextLimit(60)),
    "caption_limit": st.none() | st.just(TextLimit(12)),
})  # fmt: skip


@given(WORDS, MORE, CHANNELS)
def test_nothing_is_lost(text: str, more: dict[str, Any], channel: dict[str, Any]) -> None:
    said = Said(text, (BUTTON,), ({"title": "Q"},), **more)
    messages = as_shown(said, channel)
    all_words = " ".join(one.text for one in messages).split()
    assert [word for word in all_words if word in ("one", "two", "three")] == text.split()
    shows = channel["shows"]
    for one in messages:
        kinds = [one.media["type"]] if one.media else ["location"] if one.location else ["cards"] if one.cards else []
        assert shows is None or shows.issuperset(kinds)
    assert sum(bool(one.quick_replies) for one in messages) == bool(messages[-1].quick_replies) == 1
    assert _count(messages, "B", said) == 1 + sum(len(card.get("buttons", ())) for card in said.cards)
    wanted = URL if said.media or any("image" in card for card in said.cards) else "1.5" if said.location else ""
    assert wanted in str(messages)
    asked = (
        {said.media["type"]} if said.media else {"location"} if said.location else {"cards"} if said.cards else set()
    )
    named = {name for one in messages for name in one.degraded}
    assert asked - (shows if shows is not None else asked) <= named
    assert not named or shows is not None


def _count(messages: list[Said], title: str, said: Said) -> int:
    own = [button for one in messages for button in one.buttons]
    of_cards = [button for one in messages for card in one.cards for button in card.get("buttons", ())]
    return sum(button["title"] == title for button in (*own, *of_cards))
