"""The gateway before the services: what passes through it, and what it says when a service is down."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from devstack.ports import HOST, free_port
from devstack.proxy import Backend, Proxy
from servicekit.web import bounded_http
from support.edges import BODY, CHUNKED, GZIPPED, H2C, LAST, LENGTH, exchange, seen_in, telling
from support.waiting import eventually

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ALL = "/{path:.*}"


@contextlib.asynccontextmanager
async def service(handler: Handler) -> AsyncIterator[str]:
    """A stand-in for a service; its base URL."""
    app = web.Application(client_max_size=0)
    app.router.add_route("*", ALL, handler)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, HOST, port).start()
    yield f"http://{HOST}:{port}"
    await runner.cleanup()


def gateway(base: str | None) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientSession]:
    """A client of a gateway whose services are all at `base`."""
    return gateway_to(lambda _service: base)


@contextlib.asynccontextmanager
async def gateway_to(backend: Backend) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a gateway."""
    proxy = Proxy(backend)
    proxy.claim_port()
    await proxy.start()
    async with aiohttp.ClientSession(proxy.base_url) as client:
        yield client
    await proxy.stop()


async def test_a_request_arrives_as_it_was_sent_with_its_callers_address() -> None:
    seen = {}

    async def echo(request: web.Request) -> web.Response:
        seen.update(method=request.method, target=request.raw_path, headers=request.headers, body=await request.read())
        return web.Response(status=418, reason="Teapot", body=b"short", headers={"X-Answer": "1"})

    async with service(echo) as base, gateway(base) as client:
        forged = {"X-Forwarded-For": "203.0.113.9", "Signature": "kept"}
        async with client.put(
            "/v1/bots/a%2Fb?q=%20x&q=2",
            data=b"\x00raw",
            headers=forged,
            skip_auto_headers=["Accept", "Accept-Encoding", "Content-Type", "User-Agent"],
        ) as answer:
            assert (answer.status, await answer.read(), answer.headers["X-Answer"]) == (418, b"short", "1")
    assert (seen["method"], seen["target"], seen["body"]) == ("PUT", "/v1/bots/a%2Fb?q=%20x&q=2", b"\x00raw")
    own = {"Host", "Content-Length", "X-Forwarded-Host", "X-Forwarded-Proto"}
    assert {name.title() for name in seen["headers"]} == own | forged.keys()
    assert (seen["headers"]["X-Forwarded-For"], seen["headers"]["Signature"]) == ("127.0.0.1", "kept")


async def test_a_redirect_is_the_callers_to_follow() -> None:
    async def redirect(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://192.0.2.1/elsewhere"})

    async with (
        service(redirect) as base,
        gateway(base) as client,
        client.get("/v1/r/x", allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (302, "http://192.0.2.1/elsewhere")


async def test_an_event_stream_arrives_event_by_event() -> None:
    may_go_on = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await may_go_on.wait()
        await response.write(b"data: 2\n\n")
        return response

    async with service(stream) as base, gateway(base) as client, client.get("/v1/web/c/sessions/s/events") as answer:
        assert await answer.content.readline() == b"data: 1\n"
        may_go_on.set()
        assert (await answer.content.read()).endswith(b"data: 2\n\n")


async def test_a_caller_who_leaves_ends_the_services_work() -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def wait_for_ever(_request: web.Request) -> web.Response:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    async with service(wait_for_ever) as base, gateway(base) as client:
        call = asyncio.create_task(client.get("/v1/web/c/sessions/s/events"))
        await began.wait()
        call.cancel()
        await eventually(ended.is_set)


async def test_an_answer_that_breaks_off_breaks_off_for_the_caller() -> None:
    async def break_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"some")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with service(break_off) as base, gateway(base) as client, client.get("/v1/bots") as answer:
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()


async def test_a_large_body_streams_through() -> None:
    async def count(request: web.Request) -> web.Response:
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
        return web.json_response(size)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(64):
            yield b"x" * 65_536

    async with service(count) as base, gateway(base) as client, client.post("/v1/signals", data=chunks()) as answer:
        assert await answer.json() == 64 * 65_536


async def test_a_replica_that_takes_no_connection_is_passed_over() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async with service(answer) as base:
        turns = itertools.cycle([f"http://{HOST}:{free_port()}", base])
        async with (
            gateway_to(lambda _service: next(turns)) as client,
            client.post("/v1/bots", data=b"said once") as got,
        ):
            assert (got.status, await got.read()) == (200, b"said once")


@pytest.mark.parametrize("down", ["not running", "not listening"])
async def test_a_service_that_is_down_is_a_problem_that_says_so(down: str) -> None:
    base = None if down == "not running" else f"http://{HOST}:{free_port()}"
    async with gateway(base) as client, client.get("/v1/bots") as answer:
        body = await answer.json(content_type="application/problem+json")
        assert answer.status == body["status"] == (503 if base is None else 502)
        assert "registry" in body["detail"]
        assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["/metrics", "/health/ready", "/v1/dlq/ingress", "/%6detrics", "/v1/nothing"])
async def test_what_is_not_for_the_outside_is_not_found(path: str) -> None:
    async def leak(_request: web.Request) -> web.Response:
        return web.Response(body=b"secret")

    async with service(leak) as base, gateway(base) as client, client.get(path) as answer:
        assert answer.status == 404


async def test_documents_and_their_page_come_from_the_services_that_have_them() -> None:
    asked = []

    async def document(request: web.Request) -> web.Response:
        return web.json_response({"path": request.path}, headers={"X-Own": "1"})

    def backend(service: str) -> str:
        asked.append(service)
        return base

    async with service(document) as base, gateway_to(backend) as client:
        for path in ("/openapi.json", "/docs", "/docs/start.js", "/openapi/registry.json", "/openapi/ingress.json"):
            async with client.get(path) as answer:
                assert (await answer.json(), answer.headers["X-Own"]) == ({"path": path}, "1")
    assert asked == ["registry", "registry", "registry", "registry", "ingress"]


@contextlib.asynccontextmanager
async def one_answer_a_connection(extra: bytes = b"") -> AsyncIterator[str]:
    """A service that answers the first request of a connection and closes it at the second; its base URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 500 Oops\r\ncontent-length: 2\r\n" + extra + b"\r\nno")
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")

    async with await asyncio.start_server(serve, HOST, 0) as server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


async def test_a_read_on_a_connection_that_the_service_gave_up_is_sent_again() -> None:
    async with one_answer_a_connection() as base, gateway(base) as client:
        for _ in range(3):
            async with client.get("/v1/bots") as answer:
                assert (answer.status, await answer.read()) == (500, b"no")


async def test_a_connection_that_the_service_says_it_closes_is_not_used_again() -> None:
    async with one_answer_a_connection(b"connection: close\r\n") as base, gateway(base) as client:
        for _ in range(3):
            async with client.post("/v1/bots") as answer:
                assert (answer.status, await answer.read()) == (500, b"no")


@contextlib.asynccontextmanager
async def saying(raw: bytes) -> AsyncIterator[str]:
    """A service that answers each request with these bytes and closes the connection; its base URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(raw)
            await writer.drain()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("raw", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil it ends", 200, b"until it ends"),
        (b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: late\r\n\r\n",
            200,
            b"ok",
        ),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, b""),
        (b"SMTP no\r\n\r\n", 502, None),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", 502, None),
        (b"", 502, None),
    ],
    ids=["no framing", "interim", "trailer", "not modified", "no HTTP", "another protocol", "nothing"],
)
async def test_what_a_service_may_answer(raw: bytes, status: int, body: bytes | None) -> None:
    async with saying(raw) as base, gateway(base) as client, client.get("/v1/bots") as answer:
        assert answer.status == status
        assert body is None or await answer.read() == body
        assert "link" not in answer.headers


async def test_a_head_request_has_the_head_of_the_answer() -> None:
    async def answer_head(_request: web.Request) -> web.Response:
        return web.Response(body=b"four", headers={"X-Answer": "1"})

    async with service(answer_head) as base, gateway(base) as client:
        for _ in range(2):
            async with client.head("/v1/bots") as answer:
                assert (answer.status, answer.headers["Content-Length"]) == (200, "4")


async def test_an_answer_before_the_body_is_there_is_passed_on_and_the_rest_is_nobodys_request() -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=413, headers={"X-Path": request.path})

    async def slowly() -> AsyncIterator[bytes]:
        yield b"GET /v1/smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
        await answered.wait()
        yield b"GET /v1/smuggled HTTP/1.1\r\nhost: a\r\n\r\n"

    answered = asyncio.Event()
    async with service(refuse) as base, gateway(base) as client:
        async with client.post("/v1/bots", data=slowly()) as answer:
            assert answer.status == 413
            answered.set()
        async with client.get("/v1/tokens") as answer:
            assert answer.headers["X-Path"] == "/v1/tokens"


@contextlib.asynccontextmanager
async def through() -> AsyncIterator[int]:
    """The port of a gateway before a service that tells what it got."""
    async with telling() as port:
        proxy = Proxy(lambda _service: f"http://{HOST}:{port}")
        made = int(proxy.claim_port().rpartition(":")[2])
        await proxy.start()
        yield made
        await proxy.stop()


POST = b"POST /v1/bots?y=1 HTTP/1.1\r\nhost: a.example\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        POST + H2C + LENGTH + b"\r\n" + BODY,
        POST + CHUNKED + b"\r\n8\r\n" + BODY + b"\r\n0\r\n\r\n",
        POST + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(GZIPPED) + GZIPPED,
        POST.replace(b"/v1", b"http://a.example/v1").replace(b"host: a", b"host: other") + LENGTH + b"\r\n" + BODY,
        POST + b"expect: 100-continue\r\n" + LENGTH + b"\r\n" + BODY,
    ],
    ids=["h2c", "chunked", "gzip", "absolute target", "expect"],
)
async def test_what_a_service_understands_the_gateway_passes_on(raw: bytes) -> None:
    async with through() as port:
        seen = seen_in(await exchange(port, raw.replace(b"\r\n\r\n", b"\r\n" + LAST + b"\r\n", 1)))
    assert (seen["method"], seen["target"], seen["host"], seen["body"]) == (
        "POST", "/v1/bots?y=1", "a.example", BODY.decode(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"GET /v1/bots HTTP/2.0\r\nhost: a\r\n\r\n", b"505"),
        (b"GET /v1/bots HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n", b"400"),
        (b"GET /v1/bots HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx: " + b"y" * 40_000 + b"\r\n\r\n", b"431"),
        (POST + LENGTH + b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    ],
    ids=["version", "two hosts", "large head", "two framings"],
)
async def test_what_a_service_refuses_the_gateway_refuses(raw: bytes, status: bytes) -> None:
    async with through() as port:
        assert (await exchange(port, raw)).startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize(("part", "sent"), [("head", POST), ("body", POST + LENGTH + b"\r\n{")])
async def test_a_caller_who_does_not_go_on_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, part: bounded_http.Part, sent: bytes
) -> None:
    monkeypatch.setitem(bounded_http._SECONDS, part, 0.05)
    async with through() as port, asyncio.timeout(5):
        assert (await exchange(port, sent)).startswith(b"HTTP/1.1 408")
