"""`http_request`: make a request that the flow itself describes, and keep values of its answer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from contracts.header_names import MOST_HEADERS, header_name
from contracts.web_url import URL_LIMIT, origin_of
from flowlang import clock
from flowlang.building.compiler import Compiler
from flowlang.building.fields import Duration
from flowlang.expressions.json_paths import JsonPath
from flowlang.expressions.templates import Template
from flowlang.expressions.values import Place, Value, json_size
from flowlang.model import Happening, RequestAction
from flowlang.nodes.base import Go, NodeModel, Outcome, Rest, Step
from flowlang.nodes.calls import LONGEST_WAIT, WhileWaiting, failed, timed_out
from flowlang.nodes.context import StepContext
from flowlang.problems import NodeError

REQUEST_LIMIT = 128 * 1024
"""Bytes of a request as JSON: URL, query, headers and body."""
USUAL_SECONDS, MOST_SECONDS = 10, 30
"""How long an attempt may take: by itself, and however long the `timeout` is."""
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
HeaderName = Annotated[str, AfterValidator(header_name)]
_REFERENCE = re.compile(r"secret\.([A-Za-z_][A-Za-z0-9_-]{0,63})")
SecretReference = Annotated[str, StringConstraints(pattern=f"^{_REFERENCE.pattern}$")]


def _with_port(url: str) -> str:
    try:
        origin_of(url)
    except ValueError:
        raise ValueError("the port is a number up to 65535") from None
    return url


class HttpRequestModel(NodeModel):
    """Make a request that is described here, without an API call. Its answer is JSON of at most 64 KiB where something of it is
    kept. `while_waiting` says what becomes of the person's messages meanwhile."""

    PORTS: ClassVar = ("ok", "error", "timeout")
    WAITS: ClassVar = True
    WAITS_FOR: ClassVar = {"": "call_result"}
    CALLS: ClassVar = True

    type: Literal["http_request"]
    method: Method = "GET"
    """What is asked for."""
    url: Annotated[str, AfterValidator(_with_port)]
    """Where it goes: scheme, host and port are written out, merge tags in path and query are percent-encoded."""
    query: dict[str, Any] = Field(default_factory=dict, max_length=50)
    """Added to the URL's query: name → value. Lists repeat the name, null leaves it out."""
    headers: dict[HeaderName, str] = Field(default_factory=dict, max_length=MOST_HEADERS)
    """Name → value; may have merge tags. A value that is `secret.<name>` and nothing else is that secret."""
    json_: Any = Field(default=None, alias="json")
    """The body as JSON. Merge tags give text, `{cel: …}` keeps the type."""
    form: dict[str, Any] | None = Field(default=None, max_length=50)
    """The body as a form: name → value."""
    auth: SecretReference | None = None
    """The secret whose value becomes the Authorization header."""
    idempotent: bool | None = None
    """Whether it does no harm to make the request again when its answer was lost, or is an error of the server. Left out: that of a
    GET does none."""
    while_waiting: WhileWaiting = "queue"
    """What becomes of the person's messages meanwhile: kept for later, ending the wait, or dropped."""
    save: dict[str, str] = Field(default_factory=dict, max_length=50)
    """Place → JMESPath of what is kept there of the answer. Left out: the answer may be anything."""
    timeout: Duration | None = None
    """After so long without an answer the node is left by `timeout`; left out: an attempt has 10 seconds. All attempts together have
    30."""

    @model_validator(mode="after")
    def _one_body(self) -> HttpRequestModel:
        if self.json_ is not None and self.form is not None:
            raise ValueError("a body is `json` or `form`, not both")
        if self.method == "GET" and (self.json_ is not None or self.form is not None):
            raise ValueError("a GET has no body: use `query`, or another method")
        return self

    def build(self, compiler: Compiler) -> HttpRequest:
        for place, name in self._secrets():
            compiler.secret(name, self.url, *place)
        body = compiler.value(
            self.form if self.form is not None else self.json_, "json" if self.form is None else "form"
        )
        timeout = clock.duration(self.timeout) if self.timeout else None
        return HttpRequest(
            method=self.method,
            url=compiler.url(self.url, "url"),
            query=compiler.value(self.query, "query"),
            headers=tuple(
                (name, compiler.template(value, "headers", name))
                for name, value in self.headers.items()
                if not _REFERENCE.fullmatch(value)
            ),
            secrets=tuple(
                (place[-1] if place[0] == "headers" else "Authorization", name) for place, name in self._secrets()
            ),
            body=body,
            encoding="form" if self.form is not None else "json" if self.json_ is not None else None,
            idempotent=self.method == "GET" if self.idempotent is None else self.idempotent,
            while_waiting=self.while_waiting,
            save=tuple(
                (compiler.place(place, "save", place), compiler.json_path(source, "save", place))
                for place, source in self.save.items()
            ),
            timeout=timeout or LONGEST_WAIT,
            seconds=max(1, min(MOST_SECONDS, ceil(timeout.total_seconds()))) if timeout else USUAL_SECONDS,
        )

    def _secrets(self) -> list[tuple[tuple[str, ...], str]]:
        """(place in the node, name) of each secret."""
        named: list[tuple[tuple[str, ...], str]] = [(("headers", name), value) for name, value in self.headers.items()]
        named += [(("auth",), self.auth)] if self.auth else []
        return [(place, found[1]) for place, value in named if (found := _REFERENCE.fullmatch(value))]

    def secrets_sent(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, self.url) for _, name in self._secrets())


@dataclass(frozen=True, slots=True)
class HttpRequest(Step):
    """The running request."""

    IS_BOUNDED: ClassVar = True

    method: str
    url: Template
    query: Value
    headers: tuple[tuple[str, Template], ...]
    secrets: tuple[tuple[str, str], ...]
    """(header, name of the secret that it has)."""
    body: Value
    encoding: Literal["json", "form"] | None
    idempotent: bool
    while_waiting: WhileWaiting
    save: tuple[tuple[Place, JsonPath], ...]
    timeout: timedelta
    seconds: int

    def enter(self, run: StepContext) -> Outcome:
        request = {
            "method": self.method,
            "url": self._url(run),
            "query": self.query.of(run),
            "headers": {name: _header(name, value, run) for name, value in self.headers},
            "secrets": dict(self.secrets),
            "body": self.body.of(run),
            "encoding": self.encoding,
        }
        if json_size(request) > REQUEST_LIMIT:
            raise NodeError("request-too-large", f"a request has at most {REQUEST_LIMIT} bytes")
        wait = run.wait("call", self.timeout, {"while_waiting": self.while_waiting})
        more = {"timeout_seconds": self.seconds, "idempotent": self.idempotent, "answer": bool(self.save)}
        run.emit(RequestAction("http_request", request | more | {"wait": wait.token}))
        return Rest(wait)

    def resume(self, run: StepContext, happening: Happening) -> Outcome:
        if happening.kind == "timer":
            return timed_out(origin_of(self.url.source))
        result = happening.data
        if result.get("outcome") != "ok":
            return failed(result, origin_of(self.url.source))
        for place, path in self.save:
            run.write(place, path.find(result.get("body"), run.work))
        return Go("ok")

    def _url(self, run: StepContext) -> str:
        url = self.url.render(run)
        if len(url) > URL_LIMIT:
            raise NodeError("url", f"a URL has at most {URL_LIMIT} characters")
        return url


def _header(name: str, value: Template, run: StepContext) -> str:
    text = value.render(run)
    if not text.isprintable():
        raise NodeError("header", f"{name}: a header is one line without control characters")
    return text
