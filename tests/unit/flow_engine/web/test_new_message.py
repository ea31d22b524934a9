"""What an agent may send: a text, a file or a place, and nothing that a platform could be misled by."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from flow_engine.web.inbox_models import NewMessage

MEDIA = {"type": "file", "url": "https://shop.example.com/invoice.pdf", "name": "Invoice"}
PLACE = {"latitude": 52.5, "longitude": 13.4}


@pytest.mark.parametrize(
    "body", [{"text": "Hi"}, {"media": MEDIA}, {"text": "Hi", "media": MEDIA}, {"location": PLACE}]
)
def test_it_has_a_text_a_file_or_a_place(body: dict[str, Any]) -> None:
    assert NewMessage.model_validate(body).model_dump(exclude_none=True) == body


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ()),
        ({"text": ""}, ("text",)),
        ({"media": MEDIA, "location": PLACE}, ()),
        ({"media": {**MEDIA, "url": "file:///etc/passwd"}}, ("media", "url")),
        ({"media": {**MEDIA, "url": "https://ann:secret@shop.example.com/"}}, ("media", "url")),
        ({"media": {**MEDIA, "type": "poll"}}, ("media", "type")),
        ({"location": {**PLACE, "latitude": 91}}, ("location", "latitude")),
        ({"location": {**PLACE, "latitude": float("nan")}}, ("location", "latitude")),
        ({"text": "x" * 16_385}, ("text",)),
    ],
)
def test_anything_else_is_refused_at_its_place(body: dict[str, Any], place: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        NewMessage.model_validate(body)
    assert refused.value.errors()[0]["loc"] == place
