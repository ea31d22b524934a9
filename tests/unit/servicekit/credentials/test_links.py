from base64 import urlsafe_b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from servicekit.credentials.links import LinkKeys

PROJECT = "0198c0c0-0000-7000-8000-000000000001"
PAYLOAD = {"bot": "b1", "command": "pay", "content": {"order": 17}, "expires_at": "2026-11-21T00:00:00Z", "jti": "j1"}
KEYS = LinkKeys(SecretStr("k" * 40))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=10), JSON, max_size=5), st.sampled_from([PROJECT, "p1", PROJECT.upper(), "ü"]))
def test_a_link_round_trips(payload, project):
    assert KEYS.open_link(KEYS.sign_link("w", project, payload), "w") == (project, payload)


def test_a_link_is_of_url_safe_characters_and_short():
    text = KEYS.sign_link("w", PROJECT, PAYLOAD)
    assert text.replace("-", "").replace("_", "").isalnum()
    assert len(text) < 200


def test_nothing_of_the_payload_shows():
    raw = urlsafe_b64decode(KEYS.sign_link("w", PROJECT, PAYLOAD) + "==")
    assert b"pay" not in raw
    assert b"order" not in raw


def test_a_link_for_one_purpose_is_nothing_for_another():
    text = KEYS.sign_link("w", PROJECT, PAYLOAD)
    assert [KEYS.open_link(text, purpose) is None for purpose in ("w", "r", "s", "m")] == [False, True, True, True]


def test_every_altered_character_is_noticed():
    text = KEYS.sign_link("r", PROJECT, PAYLOAD)
    for position, letter in enumerate(text):
        other = "A" if letter != "A" else "B"
        assert KEYS.open_link(text[:position] + other + text[position + 1 :], "r") is None


def test_a_link_has_one_spelling():
    text = KEYS.sign_link("r", PROJECT, PAYLOAD | {"pad": "x"})
    for other in (text + "=", text + "==", text + "A", text[:-1], " " + text, text + "\n", text + ".!"):
        assert KEYS.open_link(other, "r") is None


@pytest.mark.parametrize("text", ["", "A", "AR", "é", "x" * 5000, "AAAA", "AQAAAAAA"])
def test_what_is_no_link_is_none(text):
    assert KEYS.open_link(text, "w") is None


def test_equal_payloads_give_equal_links_and_others_do_not():
    assert KEYS.sign_link("w", PROJECT, PAYLOAD) == KEYS.sign_link("w", PROJECT, dict(PAYLOAD))
    assert KEYS.sign_link("w", PROJECT, PAYLOAD) != KEYS.sign_link("w", PROJECT, PAYLOAD | {"jti": "j2"})


def test_another_installations_link_is_none():
    assert LinkKeys("z" * 40).open_link(KEYS.sign_link("w", PROJECT, PAYLOAD), "w") is None


def test_after_a_rotation_old_links_still_open():
    old, new = "o" * 40, "n" * 40
    both = LinkKeys(f"{new},{old}")
    assert both.open_link(LinkKeys(old).sign_link("w", PROJECT, PAYLOAD), "w") == (PROJECT, PAYLOAD)
    assert LinkKeys(new).open_link(both.sign_link("w", PROJECT, PAYLOAD), "w") == (PROJECT, PAYLOAD)
    assert LinkKeys(old).open_link(both.sign_link("w", PROJECT, PAYLOAD), "w") is None


def test_a_link_cannot_be_moved_to_another_project():
    mine, theirs = KEYS.sign_link("w", "p1", PAYLOAD), KEYS.sign_link("w", "p2", PAYLOAD)
    assert KEYS.open_link(theirs[:8] + mine[8:], "w") is None
    assert KEYS.open_link(mine[:8] + theirs[8:], "w") is None


@pytest.mark.parametrize("secret", [None, "", " , "])
def test_without_a_secret_there_are_no_links(secret):
    with pytest.raises(ValueError, match="SWITCHHOOK_LINK_KEY"):
        LinkKeys(secret)


def test_a_project_needs_a_name():
    with pytest.raises(ValueError, match="project"):
        KEYS.sign_link("w", "", PAYLOAD)
