"""Requests as other clients really send them, and as nobody should: through the connections of every service."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import time

import orjson
import pytest
from starlette.responses import Response

from servicekit.web import bounded_http, unread_answers
from servicekit.web.requests import BODY_LIMIT
from servicekit.web.server import Listening
from support.edges import BODY, CHUNKED, GZIPPED, H2C, LAST, LENGTH, exchange, seen_in, telling
from support.waiting import eventually

POST = b"POST /v1/x?y=1 HTTP/1.1\r\nhost: a\r\n"


@pytest.fixture
async def port():
    async with telling() as made:
        yield made


def pieces(raw: bytes, size: int) -> list[bytes]:
    return [raw[at : at + size] for at in range(0, len(raw), size)]


@pytest.mark.parametrize("size", [1, 17, 10_000])
@pytest.mark.parametrize(
    "framed",
    [LENGTH + b"\r\n" + BODY, CHUNKED + b"\r\n8\r\n" + BODY + b"\r\n0\r\n\r\n"],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("offer", [H2C, b"connection: Upgrade\r\nupgrade: websocket\r\n"], ids=["h2c", "websocket"])
async def test_a_request_that_offers_another_protocol_keeps_its_body_and_its_connection(port, offer, framed, size):
    first = POST + offer + framed
    answers = await exchange(port, *pieces(first, size), *pieces(POST + LAST + framed, size))
    assert answers.count(b"HTTP/1.1 200") == 2
    assert b"101" not in answers.partition(b"\r\n")[0]
    one, other = (orjson.loads(part.partition(b"\r\n\r\n")[2]) for part in answers.split(b"HTTP/1.1 200")[1:])
    assert (one["body"], one["target"], other["body"]) == (BODY.decode(), "/v1/x?y=1", BODY.decode())
    assert "upgrade" not in one["headers"]


async def test_requests_in_one_piece_are_answered_in_order(port):
    raw = b"".join(b"POST /%d HTTP/1.1\r\nhost: a\r\n" % n + H2C + LENGTH + b"\r\n" + BODY for n in range(50))
    answers = await exchange(port, raw + b"GET /last HTTP/1.1\r\nhost: a\r\n" + LAST + b"\r\n")
    targets = [orjson.loads(part.partition(b"\r\n\r\n")[2])["target"] for part in answers.split(b"HTTP/1.1 200")[1:]]
    assert targets == [*(f"/{n}" for n in range(50)), "/last"]


@pytest.mark.parametrize(
    ("target", "path", "host"),
    [
        (b"http://other.example/v1/x?y=1", "/v1/x?y=1", "other.example"),
        (b"HTTPS://other.example:8443", "/", "other.example:8443"),
        (b"http://other.example?y=1", "/?y=1", "other.example"),
        (b"/v1/x#frag", "/v1/x", "a"),
        (b"//v1/x", "//v1/x", "a"),
    ],
)
async def test_a_whole_url_may_be_the_target(port, target, path, host):
    seen = seen_in(await exchange(port, b"GET " + target + b" HTTP/1.1\r\nhost: a\r\n" + LAST + b"\r\n"))
    assert (seen["target"], seen["host"]) == (path, host)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/2.0", b"505"),
        (b"GET / HTTP/0.9", b"505"),
        (b"GET / HTTP/1.2", b"400"),
        (b"GET ftp://a/ HTTP/1.1", b"400"),
        (b"GET http://user:pw@a/ HTTP/1.1", b"400"),
        (b"OPTIONS * HTTP/1.1", b"400"),
        (b"CONNECT a:443 HTTP/1.1", b"400"),
        (b"PRI * HTTP/2.0", b"400"),
    ],
)
async def test_what_is_not_spoken_here_is_a_problem_and_the_end(port, line, status):
    answer = await exchange(port, line + b"\r\nhost: a\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status), answer
    assert b"content-type: application/problem+json" in head
    assert orjson.loads(body)["status"] == int(status)


@pytest.mark.parametrize(
    "framing",
    [
        b"transfer-encoding: gzip, chunked\r\n",
        b"transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked, chunked\r\n",
        b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: identity\r\n",
    ],
)
async def test_a_coding_of_the_transfer_that_is_not_undone_here_is_refused(port, framing):
    answer = await exchange(port, POST + LAST + framing + b"\r\n8\r\n" + BODY + b"\r\n0\r\n\r\n")
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), answer[:200]
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_spaces_behind_a_header_are_none_of_it(port):
    seen = seen_in(await exchange(port, POST + LAST + b"transfer-encoding: Chunked  \r\n\r\n1\r\nx\r\n0\r\n\r\n"))
    assert seen["body"] == "x"


async def test_a_gzip_body_arrives_as_what_it_holds(port):
    head = POST + LAST + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(GZIPPED)
    for parts in ([head + GZIPPED], [head, *pieces(GZIPPED, 3)]):
        seen = seen_in(await exchange(port, *parts))
        assert (seen["body"], "content-encoding" in seen["headers"]) == (BODY.decode(), False)


def gzip_of(size: int) -> bytes:
    return gzip.compress(bytes(size))


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        (b"gzip", gzip_of(BODY_LIMIT + 1), b"413"),
        (b"gzip", gzip_of(40 * BODY_LIMIT), b"413"),
        (b"gzip", BODY, b"400"),
        (b"gzip", GZIPPED[:-4], b"400"),
        (b"gzip", GZIPPED * 2, b"400"),
        (b"br", BODY, b"415"),
        (b"gzip, gzip", gzip.compress(GZIPPED), b"415"),
    ],
    ids=["too much", "a bomb", "not gzip", "cut short", "two members", "brotli", "twice"],
)
async def test_what_cannot_be_unpacked_is_refused(port, encoding, body, status):
    head = POST + LAST + b"content-encoding: %b\r\ncontent-length: %d\r\n\r\n" % (encoding, len(body))
    answer = await exchange(port, head, body)
    assert answer.startswith(b"HTTP/1.1 " + status), answer[:200]


async def test_unpacking_a_bomb_takes_no_longer_than_a_body(port):
    bomb = gzip_of(200 * BODY_LIMIT)
    head = POST + LAST + b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(bomb)
    before = time.process_time()
    await exchange(port, head, bomb)
    assert time.process_time() - before < 0.1


async def test_a_chunks_extensions_and_the_trailers_are_bounded(port):
    many = CHUNKED + b"\r\n" + b"1;" + b"e" * 90_000
    trailers = CHUNKED + b"\r\n0\r\n" + b"x: y\r\n" * 20_000
    for flood in (many, trailers):
        answer = await exchange(port, POST, *pieces(flood, 8_000))
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


async def test_a_body_in_small_chunks_is_no_flood(port):
    body = b"".join(b"1\r\nx\r\n" for _ in range(100_000)) + b"0\r\n\r\n"
    seen = seen_in(await exchange(port, POST + LAST + CHUNKED + b"\r\n", *pieces(body, 60_000)))
    assert seen["body"] == "x" * 100_000


async def test_a_trailer_is_no_header(port):
    raw = POST + LAST + CHUNKED + b"\r\n1\r\nx\r\n0\r\nauthorization: Bearer other\r\n\r\n"
    seen = seen_in(await exchange(port, raw))
    assert (seen["body"], "authorization" in seen["headers"]) == ("x", False)


@pytest.mark.parametrize(
    ("part", "sent", "status"),
    [
        ("first byte", b"", b""),
        ("head", b"GET / HTTP/1.1\r\nhost: a\r\n", b"HTTP/1.1 408"),
        ("head", POST + b"content-length: 0\r\n\r\n" + b"GET /", b"HTTP/1.1 200"),
        ("body", POST + LENGTH + b"\r\n{", b"HTTP/1.1 408"),
        ("body", POST + CHUNKED + b"\r\n5\r\n{", b"HTTP/1.1 408"),
        ("nothing", b"\r\n", b""),
        ("nothing", POST + LENGTH + b"\r\n" + BODY, b"HTTP/1.1 200"),
    ],
    ids=[
        "nothing at all",
        "half a head",
        "half a second head",
        "half a body",
        "half a chunk",
        "an empty line",
        "no second request",
    ],
)
async def test_who_does_not_go_on_is_told_and_cut_off(port, monkeypatch, part, sent, status):
    monkeypatch.setitem(bounded_http._SECONDS, part, 0.05)
    async with asyncio.timeout(5):
        answer = await exchange(port, sent)
    assert answer.startswith(status)
    assert bool(answer) == bool(status)


@pytest.mark.parametrize("part", ["head", "body"])
async def test_dripping_does_not_help(port, monkeypatch, part):
    monkeypatch.setitem(bounded_http._SECONDS, part, 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\nx: " if part == "head" else POST + b"content-length: 99999\r\n\r\n")

    async def drip() -> None:
        while not writer.is_closing():
            writer.write(b"y")
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionResetError):  # The close may overtake the answer while we are still sending.
            assert (await reader.read()).startswith(b"HTTP/1.1 408")
    dripping.cancel()
    writer.close()


async def test_a_body_that_is_read_as_a_stream_takes_long_and_each_of_its_pauses_does_not(monkeypatch):
    monkeypatch.setitem(bounded_http._SECONDS, "body", 0.2)
    got, ended = bytearray(), asyncio.Event()

    async def stream(scope, receive, send):
        bounded_http.take_its_time(scope)
        while (message := await receive())["type"] == "http.request":
            got.extend(message["body"])
        ended.set()

    listening = Listening(stream)
    port = await listening.start("127.0.0.1", 0)
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"content-length: 99999\r\n\r\n")
        begun = time.monotonic()
        while time.monotonic() - begun < 0.6:
            writer.write(b"y")
            await asyncio.sleep(0.01)
        assert not ended.is_set()
        async with asyncio.timeout(5):
            await ended.wait()
        writer.close()
    finally:
        await listening.stop()


async def test_who_reads_no_further_is_told_that_the_connection_has_ended():
    told = asyncio.get_running_loop().create_future()

    async def stream(scope, receive, send):
        await receive()
        assert not bounded_http.has_gone(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not bounded_http.has_gone(scope):
            await send({"type": "http.response.body", "body": b"x", "more_body": True})
            await asyncio.sleep(0.01)
        told.set_result(None)

    listening = Listening(stream)
    port = await listening.start("127.0.0.1", 0)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(POST + b"content-length: 9999999\r\n\r\n" + b"y" * 1_000_000)
        await reader.readexactly(1)
        writer.transport.abort()
        async with asyncio.timeout(5):
            await told
    finally:
        await listening.stop()


@pytest.mark.parametrize("second", [b"no request at all\r\n\r\n", b"GET / HTTP/2.0\r\nhost: a\r\n\r\n"])
async def test_a_broken_second_request_ends_the_connection_after_the_answer_to_the_first(port, second):
    answer = await exchange(port, POST + LENGTH + b"\r\n" + BODY + second)
    assert seen_in(answer)["body"] == BODY.decode()
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_answers_that_nobody_reads_take_so_many_bytes_and_who_reads_gets_his(monkeypatch):
    """The connection that has stood still for longest is cut."""
    monkeypatch.setattr(unread_answers, "MOST_BYTES", 20 << 20)
    listening = Listening(Response(bytes(12 << 20)))
    port = await listening.start("127.0.0.1", 0)
    request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    clients = []
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 10)
        writer.write(request)
        await eventually(lambda reader=reader: len(reader._buffer) > 0)  # It has begun to come, and is read no further.
        clients.append((reader, writer))
    assert len(await exchange(port, request)) > 12 << 20
    lengths = []
    for reader, writer in clients:
        with contextlib.suppress(ConnectionError):
            lengths.append(len(await reader.read()))
        writer.close()
    assert len([length for length in lengths if length > 12 << 20]) == 1, lengths
    assert lengths[-1] > 12 << 20
    await listening.stop()
