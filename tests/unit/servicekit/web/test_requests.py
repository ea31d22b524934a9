import asyncio

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from servicekit.web import requests as http_requests
from servicekit.web.problems import ProblemError, install_problems
from servicekit.web.requests import ClientGone, RequestGuard, parse_json, read_body, read_head, refuse_nul


def scope(*headers: tuple[str, str]) -> dict:
    return {"type": "http", "path": "/v1/x", "headers": [(name.encode(), value.encode()) for name, value in headers]}


def messages(*parts: bytes, then: dict | None = None):
    """A receive function that hands out the body in parts, and `then` instead of an end."""
    queue = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if then is None:
        queue[-1]["more_body"] = False
    else:
        queue.append(then)

    async def receive():
        return queue.pop(0)

    return receive


def refused(call) -> ProblemError:
    with pytest.raises(ProblemError) as error:
        call()
    return error.value


def test_a_head_is_a_dictionary():
    assert read_head(scope(("host", "a"), ("x", "1")))[b"x"] == b"1"


@pytest.mark.parametrize(
    "headers",
    [(), (("host", "a"), ("host", "a")), (("host", "a"), ("authorization", "x"), ("authorization", "y"))],
)
def test_exactly_one_host_and_at_most_one_authorization(headers):
    assert refused(lambda: read_head(scope(*headers))).status == 400


def test_a_large_head_is_431():
    assert refused(lambda: read_head(scope(("host", "a"), ("x", "y" * 40_000)))).status == 431


@pytest.mark.parametrize("parts", [(b"",), (b"abc",), (b"a", b"b", b"c"), (b"", b"abc", b"")])
async def test_a_body_is_read_whole(parts):
    assert await read_body({}, messages(*parts)) == b"".join(parts)


@pytest.mark.parametrize("parts", [(b"x" * 11,), (b"x" * 6, b"x" * 5), (b"x" * 11, b"never read")])
async def test_a_body_over_the_limit_is_413(parts):
    with pytest.raises(ProblemError, match="413"):
        await read_body({}, messages(*parts), limit=10)


@pytest.mark.parametrize("announced", [b"11", b"99999999999", b"-1", b"many"])
async def test_an_announced_length_is_believed_before_reading(announced):
    async def receive():
        raise AssertionError("read")

    with pytest.raises(ProblemError, match="413"):
        await read_body({b"content-length": announced}, receive, limit=10)


async def test_a_body_that_breaks_off_is_not_a_body():
    with pytest.raises(ClientGone):
        await read_body({}, messages(b"half", then={"type": "http.disconnect"}))


async def test_a_body_that_drips_is_408(monkeypatch):
    monkeypatch.setattr(http_requests, "BODY_SECONDS", 0.01)
    first = [{"type": "http.request", "body": b"a", "more_body": True}]

    async def receive():
        return first.pop() if first else await asyncio.Event().wait()

    with pytest.raises(ProblemError, match="408"):
        await read_body({}, receive)


def test_json_is_parsed():
    assert parse_json(b'{"a": [1, null, "\\u00fc"]}') == {"a": [1, None, "ü"]}


def test_what_is_not_json_is_400_with_its_position():
    problem = refused(lambda: parse_json(b'{"a": 1,\n "b": }'))
    assert (problem.status, problem.type_slug) == (400, "not-json")
    assert (problem.extra["line"], problem.extra["column"]) == (2, 7)


@pytest.mark.parametrize("bad", [b"", b"NaN", b"[1,]", b"\xff", b'"\xed\xa0\x80"', b"[" * 100_000])
def test_bad_json_is_400(bad):
    assert refused(lambda: parse_json(bad)).status == 400


@pytest.mark.parametrize("wide", ["18446744073709551616", "-9223372036854775809", "1" * 200])
def test_an_integer_of_more_than_64_bits_is_422(wide):
    for body in (wide, f'{{"a": [1, {wide}]}}', f'{{"99999999999999999999": "1\\"{wide}", "a": {wide}}}'):
        assert (refused(lambda body=body: parse_json(body)).status) == 422


def test_integers_of_64_bits_and_long_numbers_of_other_kinds_are_taken():
    widest = {"a": 2**64 - 1, "b": -(2**63), "c": "9" * 40, "9" * 40: 0.12345678901234567890123}
    assert parse_json(orjson.dumps(widest)) == widest
    assert parse_json("12345678901234567890123.0") == 12345678901234567890123.0
    assert parse_json("1.2345678901234567890123e-5") == 1.2345678901234567890123e-5


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


def test_depth_is_bounded():
    assert parse_json(nested(64))
    assert refused(lambda: parse_json(nested(65))).type_slug == "json-too-deep"
    assert refused(lambda: parse_json(b'{"a":' * 65 + b"1" + b"}" * 65)).type_slug == "json-too-deep"


def test_nodes_are_bounded():
    assert len(parse_json(orjson.dumps([0] * 49_999))) == 49_999
    assert refused(lambda: parse_json(orjson.dumps([0] * 50_000))).type_slug == "json-too-large"
    assert refused(lambda: parse_json(orjson.dumps([{"a": 0}] * 30_000))).type_slug == "json-too-large"


def test_brackets_and_commas_in_texts_do_not_count():
    text = "[{," * 60_000
    assert parse_json(orjson.dumps({"text": text})) == {"text": text}


def test_many_shallow_lists_are_not_deep():
    assert parse_json(orjson.dumps([[1]] * 100)) == [[1]] * 100


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def careless(request: Request) -> PlainTextResponse:
    """Answers 200 whatever happens to its body."""
    try:
        await request.body()
    except Exception:  # noqa: BLE001
        return PlainTextResponse("fine")
    return PlainTextResponse("read")


async def early(scope, receive, send):
    """Begins its answer before it reads."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.body", "body": b"read"})


@pytest.fixture
def client(client_of):
    routes = [Route(f"/{route.__name__}", route, methods=["POST"]) for route in (echo, careless)]
    app = Starlette(routes=[*routes, Route("/stream", echo, methods=["POST"]), Mount("/early", early)])
    install_problems(app)
    return client_of(RequestGuard(app, limit=10, unlimited=frozenset({"/stream"})))


async def chunks(*parts: bytes):
    for part in parts:
        yield part


@pytest.mark.parametrize("path", ["/echo", "/careless", "/early/"])
async def test_the_guard_lets_small_bodies_through(client, path):
    assert (await client.post(path, content=b"x" * 10)).status_code == 200
    assert (await client.post(path, content=chunks(b"x" * 5, b"x" * 5))).status_code == 200


@pytest.mark.parametrize("path", ["/echo", "/careless"])
async def test_the_guard_refuses_large_bodies_with_and_without_a_length(client, path):
    for content in (b"x" * 11, chunks(b"x" * 6, b"x" * 6)):
        response = await client.post(path, content=content)
        assert (response.status_code, response.headers["content-type"]) == (413, "application/problem+json")


async def test_an_answer_that_has_begun_breaks_off(client):
    response = await client.post("/early/", content=chunks(b"x" * 6, b"x" * 6))
    assert (response.status_code, response.content) == (200, b"")


async def test_the_guard_leaves_streams_alone(client):
    assert (await client.post("/stream", content=b"x" * 1000)).text == "1000"


async def test_the_guard_wants_one_host(client):
    assert (await client.post("/echo", headers=[("host", "a"), ("host", "b")])).status_code == 400


async def test_the_guard_passes_other_protocols_on():
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    await RequestGuard(app)({"type": "lifespan"}, None, None)
    assert seen == ["lifespan"]


def test_a_parameter_that_no_database_holds_is_422_by_its_name():
    refuse_nul([("event", "fine")])
    with pytest.raises(ProblemError) as refused:
        refuse_nul([("event", "fine"), ("endpoint", "\x00")])
    assert (refused.value.status, refused.value.extra["errors"][0]["pointer"]) == (422, "query/endpoint")
