"""How the API is called: what is tried again, and what is said of what is not."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from botfiles.api import ATTEMPTS, Api, ApiRefusal
from botfiles.errors import CannotGoOn

OK = httpx.Response(201, json={"id": "1"}, headers={"etag": '"1"'})
BUSY = httpx.Response(503, headers={"retry-after": "7"})


def api_over(answer: Callable[[httpx.Request, int], httpx.Response]) -> tuple[Api, list[httpx.Request], list[float]]:
    requests, slept = list[httpx.Request](), list[float]()

    def handle(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return answer(request, len(requests))

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return Api("http://r.test", "t", "p", transport=httpx.MockTransport(handle), sleep=sleep), requests, slept


async def test_a_post_whose_answer_was_lost_is_sent_again_under_its_key() -> None:
    def answer(request: httpx.Request, number: int) -> httpx.Response:
        if number == 1:
            raise httpx.ReadError("lost", request=request)
        return BUSY if number == 2 else OK

    api, requests, slept = api_over(answer)
    async with api:
        assert (await api.post("/v1/bots", {"name": "a"})).etag == '"1"'
        await api.post("/v1/bots", {"name": "b"})
    keys = [request.headers["idempotency-key"] for request in requests]
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert slept == [1.0, 7.0]
    assert requests[0].url.params["project"] == "p"


@pytest.mark.parametrize("answer", [BUSY, httpx.ConnectError("away"), httpx.Response(401, json={"title": "No token"})])
async def test_who_does_not_answer_or_does_not_know_the_token_ends_it(answer: httpx.Response | Exception) -> None:
    def give(request: httpx.Request, number: int) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    api, requests, _ = api_over(give)
    async with api:
        with pytest.raises(CannotGoOn):
            await api.get("/v1/bots")
    assert len(requests) == (1 if isinstance(answer, httpx.Response) and answer.status_code == 401 else ATTEMPTS)


async def test_a_refusal_names_the_fields() -> None:
    problem = {"detail": "Not so.", "errors": [{"pointer": "/url", "detail": "begin with https"}]}
    api, requests, _ = api_over(lambda request, number: httpx.Response(422, json=problem))
    async with api:
        with pytest.raises(ApiRefusal, match=r"422 Not so.; /url: begin with https"):
            await api.change("PATCH", "/v1/endpoints/1", {}, etag='"3"')
    assert requests[0].headers["if-match"] == '"3"'
