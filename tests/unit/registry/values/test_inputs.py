"""Fields that requests have in common."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from registry.values.inputs import Cidr, FutureTime, Headers, Origin, SecretRef, event_types, http_url


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com",
        "http://127.0.0.1:8080/a?b=c#d",
        "https://api.example.com/{id}",
        "https://[2001:db8::1]:443/",
        "https://пример.example/путь",
    ],
)
def test_http_urls_are_taken(url: str) -> None:
    assert http_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "crm.example.com",
        "//crm.example.com",
        "ftp://crm.example.com",
        "javascript:alert(1)",
        "https://",
        "https://user@crm.example.com",
        "https://user:pass@crm.example.com",
        "https://{{ user.site }}/",
        "https://crm.example.com/{{ user.site }}",
        "https://crm.example.com/?a={%if user.site%}b{%endif%}",
        "https://crm.example.com:99999/",
        "https://crm.example.com/a b",
        "https://crm.example.com/\r\nx: y",
        "https:\\\\crm.example.com",
        "https://crm.example.com/a/../b",
        "https://crm.example.com/a/%2e%2e/b",
        "https://crm.example.com/" + "x" * 2048,
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    with pytest.raises(ValueError):
        http_url(url)


@pytest.mark.parametrize(
    ("chosen", "meant"),
    [
        (("*",), ("*",)),
        (("flag.*",), ("flag.assigned", "flag.removed")),
        (("flag.removed", "flag.*"), ("flag.removed", "flag.assigned")),
        (("message.sent", "message.sent"), ("message.sent",)),
    ],
)
def test_groups_of_events_are_chosen_by_a_star(chosen: tuple[str, ...], meant: tuple[str, ...]) -> None:
    assert event_types(chosen) == meant


@pytest.mark.parametrize("choice", ["", "flag", "flag.", "flag*", "nothing.*", ".*", "trigger.request", "FLAG.*"])
def test_unknown_events_are_refused(choice: str) -> None:
    with pytest.raises(ValueError, match="no event"):
        event_types((choice,))


def test_the_request_log_is_in_no_group() -> None:
    assert event_types(("trigger.*",)) == ("trigger.rejected",)


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer x"},
        {"cookie": "a=b"},
        {"Host": "other"},
        {"webhook-signature": "v1,x"},
        {"Idempotency-Key": "mine"},
        {"X Y": "space"},
        {"X-Y": "line\nbreak"},
        {f"X-{number}": "v" for number in range(33)},
    ],
)
def test_headers_that_the_sender_owns_or_that_hide_something_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Headers).validate_python(headers)


def test_other_headers_are_kept() -> None:
    headers = {"X-Tenant": "shop 1", "accept": "application/json"}
    assert TypeAdapter(Headers).validate_python(headers) == headers


def test_a_time_becomes_utc_text_and_lies_ahead() -> None:
    adapter = TypeAdapter(FutureTime)
    assert adapter.validate_python("2999-01-01T02:00:00+02:00") == "2999-01-01T00:00:00.000Z"
    for wrong in ("2999-01-01T00:00:00", "2001-01-01T00:00:00Z", "soon", "9999-12-31T23:59:59-23:59"):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_auth_names_a_secret() -> None:
    adapter = TypeAdapter(SecretRef)
    assert adapter.validate_python("secret.crm-key") == "crm-key"
    for wrong in ("Bearer abc", "secret.", "secret.a b", 7):
        with pytest.raises(ValidationError):
            adapter.validate_python(wrong)


def test_a_network_is_normalised() -> None:
    assert TypeAdapter(Cidr).validate_python("203.0.113.7/24") == "203.0.113.0/24"


@pytest.mark.parametrize("given", ["https://shop.example", "https://Shop.example/", "HTTPS://shop.example"])
def test_a_site_is_kept_as_browsers_name_it(given: str) -> None:
    assert TypeAdapter(Origin).validate_python(given) == "https://shop.example"


@pytest.mark.parametrize("given", ["*", "shop.example", "https://shop.example/chat", "https://shop.example?a", "null"])
def test_what_is_no_site_is_refused(given: str) -> None:
    """Among them every site at once: whose pages may open a chat is said of each."""
    with pytest.raises(ValidationError):
        TypeAdapter(Origin).validate_python(given)
