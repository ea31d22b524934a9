"""What API calls and endpoints send along: written once, kept, asked for again when the host is another one."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from contracts.registry import HIDDEN, ApiCall
from registry.settings import ProjectLimits
from registry.site import Site
from registry.values import sent_values
from servicekit.credentials import sent_values as opening
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing
from servicekit.web.problems import ProblemError

KEYS = KeyRing(f"k:{b64encode(bytes(range(32))).decode()}")
SITE = Site("https://bots.example", KEYS, LinkKeys("l" * 40), ProjectLimits({}, 1, 1), None, {})
URL = "https://api.example.com/seats?key=old&v=2"


def call(**fields: Any) -> ApiCall:
    written = {"id": "c1", "project_id": "p1", "name": "seats", "method": "GET", "url": URL}
    return ApiCall(**written | {"headers": {"X-A": "a", "X-B": "b"}, "params": {"hall": "1"}} | fields)


def opened(entity: ApiCall) -> tuple[Any, ...]:
    return opening.sent_values(KEYS, entity)[:3]


def refused(before: ApiCall, **given: Any) -> str:
    with pytest.raises(ProblemError) as problem:
        sent_values.changed(SITE, before, given)
    assert problem.value.status == 422
    pointer: str = problem.value.extra["errors"][0]["pointer"]
    return pointer


@pytest.fixture
def kept() -> ApiCall:
    return sent_values.new(SITE, call())


def test_what_is_shown_may_be_written_back(kept: ApiCall) -> None:
    shown = {"url": kept.url, "headers": dict(kept.headers), "params": dict(kept.params)}
    assert opened(sent_values.changed(SITE, kept, shown)) == opened(kept)
    assert kept.url == "https://api.example.com/seats?key=[hidden]&v=[hidden]"


def test_a_value_is_changed_and_the_others_stay(kept: ApiCall) -> None:
    given = {"headers": {"X-A": HIDDEN, "X-C": "c"}, "url": "https://api.example.com/other?v=3&key=[hidden]"}
    changed = sent_values.changed(SITE, kept, given)
    assert opened(changed) == ("https://api.example.com/other?v=3&key=old", {"X-A": "a", "X-C": "c"}, {"hall": "1"})
    assert changed.sealed is not None
    assert changed.sealed.version == 2


def test_what_is_not_given_stays(kept: ApiCall) -> None:
    changed = sent_values.changed(SITE, kept, {"timeout_seconds": 3})
    assert (changed.sealed, changed.timeout_seconds) == (kept.sealed, 3)


@pytest.mark.parametrize(
    "url",
    ["https://evil.example/seats", "http://api.example.com/seats", "https://api.example.com:8443/seats"],
)
def test_another_host_gets_no_value_that_was_not_written_for_it(kept: ApiCall, url: str) -> None:
    assert refused(kept, url=url) == "#/headers"
    assert refused(kept, url=url, headers={"X-A": HIDDEN}, params={}) == "#/headers"
    assert refused(kept, url=url, headers={"X-A": "mine"}) == "#/params"
    assert refused(kept, url=f"{url}?key=[hidden]", headers={}, params={}) == "#/url"
    assert refused(kept, url=f"{url}?key=%5Bhidden%5D", headers={}, params={}) == "#/url"
    moved = sent_values.changed(SITE, kept, {"url": url, "headers": {"X-A": "mine"}, "params": {}})
    assert opened(moved) == (url, {"X-A": "mine"}, {})


def test_without_values_the_host_may_change() -> None:
    bare = sent_values.new(SITE, call(headers={}, params={}, url="https://api.example.com/"))
    assert bare.sealed is None
    assert sent_values.changed(SITE, bare, {"url": "https://b.example/"}).url == "https://b.example/"


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"headers": {"X-New": HIDDEN}}, "#/headers/X-New"),
        ({"params": {"new": HIDDEN}}, "#/params/new"),
        ({"url": "https://api.example.com/?new=[hidden]"}, "#/url"),
        ({"url": "https://api.example.com/?key=[hidden]&key=[hidden]"}, "#/url"),
    ],
)
def test_nothing_hidden_is_no_value(kept: ApiCall, given: dict[str, Any], pointer: str) -> None:
    assert refused(kept, **given) == pointer
    with pytest.raises(ProblemError):
        sent_values.new(SITE, call(headers={"X-A": HIDDEN}))


def test_an_entity_of_an_earlier_release_is_sealed_by_its_next_change() -> None:
    changed = sent_values.changed(SITE, call(), {"timeout_seconds": 3})
    assert changed.sealed is not None
    assert (set(changed.headers.values()), changed.params) == ({HIDDEN}, {"hall": HIDDEN})
    assert opened(changed) == (URL, {"X-A": "a", "X-B": "b"}, {"hall": "1"})


OTHER_KEY = KeyRing(f"k2:{b64encode(bytes(range(1, 33))).decode()}")
WITHOUT_KEY = Site("https://bots.example", OTHER_KEY, LinkKeys("l" * 40), ProjectLimits({}, 1, 1), None, {})


@pytest.mark.parametrize(
    ("site", "earlier_release"),
    [(WITHOUT_KEY, False), (SITE, True)],
    ids=["its key is gone", "an old registry lost it"],
)
def test_values_that_are_lost_are_asked_for_again(kept: ApiCall, site: Site, earlier_release: bool) -> None:
    before = kept.model_copy(update={"sealed": None}) if earlier_release else kept
    for given, pointer in (
        ({"headers": {"X-A": "a"}}, "#/params"),
        ({"headers": {"X-A": HIDDEN}, "params": {}}, "#/headers"),
        ({"headers": {}, "params": {}}, "#/url"),
    ):
        with pytest.raises(ProblemError) as problem:
            sent_values.changed(site, before, given)
        assert problem.value.extra["errors"][0]["pointer"] == pointer
    written = {"headers": {"X-A": "a"}, "params": {}, "url": URL}
    assert opening.sent_values(site.keys, sent_values.changed(site, before, written))[:3] == (URL, {"X-A": "a"}, {})
