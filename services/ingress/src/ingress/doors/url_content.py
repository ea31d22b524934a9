"""What a command that a generated URL runs sees of the request. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from ingress.wire.http import collect
from servicekit.web.problems import ProblemError
from servicekit.web.requests import Head, parse_json

FORM = "application/x-www-form-urlencoded"
FORM_FIELDS = 1_000
CREDENTIALS = frozenset({
    "authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "x-access-token", "x-csrf-token",
})  # fmt: skip


class Content(NamedTuple):
    """`value` is `content` for the command, `raw` the text it was made from."""

    value: Any
    raw: str


def content_of(body: bytes, media_type: str | None, query_text: str, own: Any) -> Content:
    """The body, parsed if it is a form or JSON; else the query as an object; else the URL's own content.

    Raises ProblemError for JSON that is nested or split beyond reason; what is not JSON at all is text.
    """
    if body:
        text = body.decode(errors="replace")
        return Content(_parsed(text, body, media_type), text)
    if query_text:
        return Content(collect(parse_qsl(query_text, keep_blank_values=True)), query_text)
    return Content(own, own if isinstance(own, str) else "")


def _parsed(text: str, body: bytes, media_type: str | None) -> Any:
    if media_type is not None and media_type.split(";", 1)[0].strip().lower() == FORM:
        return collect(_form(text))
    try:
        return parse_json(body)
    except ProblemError as error:
        if error.type_slug == "not-json":
            return text
        raise


def _form(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=FORM_FIELDS)
    except ValueError:
        raise ProblemError("form-too-large", 400, "Form too large", f"At most {FORM_FIELDS} fields.") from None


def options_of(
    *, url: str, method: str, query_text: str, head: Head, ip: str, proof_headers: Collection[str]
) -> dict[str, Any]:
    """`options` for the command: url (the public one), method, params, headers by lower-case name, ip.

    Credentials, cookies and what platforms prove themselves with (`proof_headers`) are left out, so that no flow can pass
    a caller's on.
    """
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.items()}
    return {
        "url": url,
        "method": method,
        "params": collect(parse_qsl(query_text, keep_blank_values=True)),
        "headers": {
            name: value for name, value in headers.items() if name not in CREDENTIALS and name not in proof_headers
        },
        "ip": ip,
    }
