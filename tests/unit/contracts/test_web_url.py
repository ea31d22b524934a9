"""URLs that somebody wrote."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from contracts.links import HookLink
from contracts.web_url import climbs, origin_of, web_url

NO_WAY = [
    "//evil.example/", "/relative", "https:evil.example", "javascript:alert(1)", "data:text/html,x", "ftp://a.example/",
    "https://user@evil.example/", "https://user:pw@evil.example/", "https://shop.example\\@evil.example/",
    "https://shop.example\\.evil.example/",
    "https://shop.example/\r\nset-cookie: a=b", "https://shop.example/a b", "", "https://", "https://shop.example:x/",
]  # fmt: skip


@pytest.mark.parametrize("url", NO_WAY)
def test_a_visitor_is_sent_to_no_such_address(url: str) -> None:
    with pytest.raises(ValueError):
        web_url(url)
    with pytest.raises(ValidationError):
        HookLink(link_id="l", bot_id="b", command="/c", redirect_to=url)


@pytest.mark.parametrize(
    "path",
    [
        "/..",
        "/a/../b",
        "/a/..",
        "/a/%2e%2e/b",
        "/a/.%2E/b",
        "/a/%252e%252e/b",
        "/a/..%2fb",
        "/a/..%5Cb",
        "/a\\..\\b",
        "/..;x=1/b",
    ],
)
def test_a_path_that_climbs_is_told(path: str) -> None:
    assert climbs(f"https://api.example.com{path}?a=1#b")


@pytest.mark.parametrize(
    "url",
    ["https://a.example", "https://a.example/v1.2/a..b/...", "https://a.example/x?next=/../y", "https://a.example/x#/../y",
     "https://a.example?x=/../y"],
)  # fmt: skip
def test_other_dots_are_no_way_up(url: str) -> None:
    assert not climbs(url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://API.example.com./a?b", "https://api.example.com"),
        ("https://api.example.com:443/", "https://api.example.com"),
        ("http://api.example.com:8080", "http://api.example.com:8080"),
        ("https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin
