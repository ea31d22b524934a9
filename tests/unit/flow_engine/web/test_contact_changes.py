"""What callers of the data API send, as it is read."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from flow_engine.web.contact_changes import ContactChange, read
from flow_engine.web.inbox_models import NewMessage, NewNote
from servicekit.web.problems import ProblemError


@pytest.mark.parametrize("model", [NewMessage, NewNote])
def test_a_text_of_characters_that_are_left_out_is_none(model: type[BaseModel]) -> None:
    """PostgreSQL has no U+0000; it went after the length was looked at, and the person got an empty message."""
    with pytest.raises(ProblemError) as refused:
        read(b'{"text": "\\u0000"}', model)
    assert (refused.value.status, "#/text" in str(refused.value.detail)) == (422, True)


def test_they_are_left_out_of_all_that_is_kept() -> None:
    told = read(b'{"name": "An\\u0000na", "variables": {"a": ["\\u0000b"]}}', ContactChange)
    assert (told.name, told.variables) == ("Anna", {"a": ["b"]})
