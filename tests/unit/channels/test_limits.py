import pytest

from channels.limits import Length, Limits, not_shown, too_much
from contracts.actions import Button, Location, Media, MessageContent

LIMITS = Limits(
    text=Length(10, least=1), text_with_buttons=Length(5), buttons=2, quick_replies=1, payload=Length(4, "bytes")
)
ONE = Button(title="1")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"text": "x" * 10}, None),
        ({"text": "x" * 11}, "text-length"),
        ({"text": ""}, "text-length"),
        ({"text": "x" * 5, "buttons": (ONE,)}, None),
        ({"text": "x" * 6, "buttons": (ONE,)}, "text-length"),
        ({"text": "x", "buttons": (ONE,) * 3}, "too-many-buttons"),
        ({"text": "x", "quick_replies": (ONE,) * 2}, "too-many-buttons"),
        ({"text": "x", "buttons": (Button(title="1", payload="üü"),)}, None),
        ({"text": "x", "buttons": (Button(title="1", payload="ü" * 3),)}, "payload-length"),
        ({"text": "x", "buttons": (Button(title="long title"),)}, "payload-length"),
        ({"text": "x", "buttons": (Button(title="long title", url="https://example.com/long"),)}, None),
    ],
)
def test_what_is_too_much_is_told(content: dict[str, object], code: str | None) -> None:
    refusal = too_much(MessageContent.model_validate(content), LIMITS, "Toy")
    assert (refusal.code if refusal else None) == code


def test_without_limits_everything_fits() -> None:
    assert too_much(MessageContent(text="x" * 100_000, buttons=(ONE,) * 100), Limits(), "Toy") is None


def test_what_a_channel_cannot_show_is_refused_in_a_sentence() -> None:
    picture = MessageContent(text="Look", media=Media(type="image", url="https://a.example/b"))
    place = MessageContent(text="", location=Location(latitude=1, longitude=2))
    assert not_shown(picture, frozenset({"image"}), "Toy") is None
    assert not_shown(picture, frozenset({"video"}), "Toy") == ("not-shown", "Toy cannot show this: image.")
    assert not_shown(place, frozenset(), "Toy") == ("not-shown", "Toy cannot show this: location.")
    assert not_shown(MessageContent(text="Hello"), frozenset(), "Toy") is None
