"""Answers as servers really send them, piece by piece, through the guarded client."""

import asyncio
from ipaddress import ip_network

import pytest

from servicekit.http_client import connections
from servicekit.http_client.guarded_http import GuardedClient, Unreachable
from support.raw_server import raw_server, response, says
from support.waiting import eventually

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
async def http():
    async with GuardedClient(LOOPBACK, refusal_seconds=0, per_host=2) as client:
        yield client


def in_pieces(*pieces: bytes):
    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    return answer


async def get(http: GuardedClient, port: int, **more: object):
    return await http.request("GET", f"http://127.0.0.1:{port}/", **more)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked  \r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
    ],
    ids=["chunked", "chunked and spaces", "length", "interim answers", "until close"],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_an_answer_is_the_same_in_any_pieces(http, raw, size):
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    async with raw_server(in_pieces(*pieces)) as server:
        answer = await get(http, server.port)
    assert (answer.status, answer.body, answer.truncated) == (200, b"hello", False)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n3\r\nhel\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nhello",
        b"HTTP/2.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/0.9 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    ],
    ids=[
        "bad chunk",
        "two lengths",
        "negative length",
        "bad status",
        "gzip, chunked",
        "two codings",
        "identity",
        "2.0",
        "0.9",
    ],
)
async def test_a_broken_frame_is_a_bad_response(http, raw):
    async with raw_server(says(raw)) as server:
        with pytest.raises(Unreachable) as failed:
            await get(http, server.port)
    assert (failed.value.code, failed.value.sent) == ("bad-response", True)


def for_ever(begin: bytes, again: bytes):
    """Writes `again` until the connection is closed."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(begin)
        while True:
            writer.write(again * 20)
            await writer.drain()
            await asyncio.sleep(0)  # So that it arrives in pieces.

    return answer


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("begin", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"),
        (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"),
        (CHUNKED + b"1;", b"extension"),
        (CHUNKED + b"0\r\n", b"x: y\r\n"),
    ],
    ids=["continue", "interim answers", "head", "chunk extension", "trailers"],
)
async def test_what_is_not_the_body_is_bounded(http, begin, again):
    async with raw_server(for_ever(begin, again)) as server, asyncio.timeout(5):
        with pytest.raises(Unreachable) as failed:
            await get(http, server.port)
    assert (failed.value.code, failed.value.sent) == ("bad-response", True)


async def test_a_body_in_small_chunks_is_no_flood(http):
    chunks = b"".join(b"1\r\nx\r\n" for _ in range(60_000)) + b"0\r\n\r\n"
    async with raw_server(says(CHUNKED + chunks)) as server:
        assert (await get(http, server.port)).body == b"x" * 60_000


async def test_a_trailer_is_no_header(http):
    async with raw_server(says(CHUNKED + b"1\r\nx\r\n0\r\nretry-after: 9\r\n\r\n")) as server:
        answer = await get(http, server.port)
    assert (answer.body, "retry-after" in answer.headers) == (b"x", False)


async def test_another_protocol_that_nobody_offered_is_a_bad_response(http):
    switching = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nrest"
    async with raw_server(says(switching)) as server:
        with pytest.raises(Unreachable) as failed:
            await get(http, server.port)
    assert (failed.value.code, failed.value.sent) == ("bad-response", True)


async def test_what_comes_after_an_answer_is_not_taken_for_the_next_one(http):
    twice = b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na" + b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nb"
    async with raw_server(in_pieces(twice), keep_alive=True) as server:
        assert [(await get(http, server.port)).body for _ in range(2)] == [b"a", b"a"]
        assert server.connections == 2


async def test_a_connection_that_is_to_be_closed_is_not_used_again(http):
    async with raw_server(response(b"ok", b"connection: close"), keep_alive=True) as server:
        for _ in range(2):
            await get(http, server.port)
        assert server.connections == 2


async def test_an_empty_answer_leaves_the_connection_open(http):
    async with raw_server(says(b"HTTP/1.1 204 No Content\r\n\r\n"), keep_alive=True) as server:
        for _ in range(3):
            assert (await get(http, server.port)).status == 204
        assert server.connections == 1


async def test_a_host_gets_no_more_connections_than_it_may(http):
    gate = asyncio.Event()

    async def wait(writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with raw_server(wait, keep_alive=True) as server:
        asked = [asyncio.create_task(get(http, server.port)) for _ in range(6)]
        await eventually(lambda: len(server.requests) == 2)
        gate.set()
        answers = await asyncio.gather(*asked)
        assert ([answer.status for answer in answers], server.connections) == ([204] * 6, 2)


async def test_who_waits_for_a_connection_in_vain_is_timed_out_and_sent_nothing(http):
    async def silent(_: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with raw_server(silent) as server:
        asked = [asyncio.create_task(get(http, server.port)) for _ in range(2)]
        await eventually(lambda: len(server.requests) == 2)
        with pytest.raises(Unreachable) as failure:
            await get(http, server.port, timeout=0.3)
        for each in asked:
            each.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    assert (failure.value.code, failure.value.sent) == ("timeout", False)
    assert (server.connections, len(server.requests)) == (2, 2)


async def test_a_cancelled_request_frees_its_place_and_its_connection_is_not_used_again(http):
    calls = 0

    async def first_silent(writer: asyncio.StreamWriter) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            await asyncio.Event().wait()
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async with raw_server(first_silent, keep_alive=True) as server:
        asked = asyncio.create_task(get(http, server.port))
        await eventually(lambda: calls)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        assert (await get(http, server.port)).status == 204
        assert server.connections == 2


async def test_a_long_unused_connection_is_not_used_again(http, monkeypatch):
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
    async with raw_server(response(), keep_alive=True) as server:
        for _ in range(2):
            await get(http, server.port)
        assert server.connections == 2


async def test_nothing_is_sent_once_it_may_not_be(http):
    async with raw_server(response(), keep_alive=True) as server:
        with pytest.raises(Unreachable) as failed:
            await get(http, server.port, may_send=lambda: False)
        assert (failed.value.code, failed.value.sent) == ("withdrawn", False)
        assert (await get(http, server.port)).status == 200
        assert (len(server.requests), server.connections) == (1, 1)


async def test_one_projects_requests_to_a_host_do_not_hold_up_anothers(http):
    held, answered = asyncio.Event(), response()

    async def answer(writer: asyncio.StreamWriter) -> None:
        if server.requests[-1].startswith(b"POST"):
            await held.wait()
        await answered(writer)

    async with raw_server(answer) as server, asyncio.TaskGroup() as tasks:
        url = f"http://127.0.0.1:{server.port}/"
        for _ in range(3):
            tasks.create_task(http.request("POST", url, project="a"))
        await eventually(lambda: server.connections == 2)
        async with asyncio.timeout(15):
            assert (await http.request("GET", url, project="b")).status == 200
        held.set()
