"""What the gateway lets through, and how."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import pytest

from containers.composed import Composed
from operations.api import Api
from support.importing import import_by_turns
from support.reached import Reached
from support.story import FLOW

PRIVATE = (
    "/metrics", "//metrics", "/metrics/", "/METRICS", "/./metrics", "/x/../metrics", "/x/%2e%2e/metrics", "/%6detrics",
    "/x/..%2fmetrics", "/metrics%2f", "/metrics?x=/docs", "/health/ready", "//health//ready", "/Health/live", "/health%2flive",
    "/v1/held", "/V1/held", "/v1//held", "/v1/%68eld", "/v1/projects/../held", "/v1/projects/%2e%2e/held", "/v1%2fheld",
    "/v1/dlq", "/v1/%64lq", "/v1/./dlq", "/v1/dlq/", "//v1/dlq", "/docs/../v1/dlq", "/v1/dlq%00", "https://localhost/metrics",
    "/v1/nothing", "/openapi/nothing.json",
)  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
async def test_private_paths_are_not_found_however_they_are_written(installation: Composed, path: str) -> None:
    place = installation.reached()
    status, body = await asked(place, path)
    assert status in (400, 404), (status, body[:200])
    assert "switchhook_" not in body


async def asked(place: Reached, path: str) -> tuple[int, str]:
    """What the gateway answers to the operator, for a path exactly as it is written."""
    assert isinstance(place.tls, ssl.SSLContext)
    url = urlsplit(place.base_url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port, ssl=place.tls)
    lines = (
        f"GET {path} HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {place.admin_token}",
        "connection: close",
    )
    writer.write("".join(f"{line}\r\n" for line in (*lines, "")).encode())
    answer = (await reader.read()).decode(errors="replace")
    writer.close()
    await writer.wait_closed()
    return int(answer.split()[1]), answer


async def test_plain_http_leads_to_tls(installation: Composed) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://localhost:{installation.env['HTTP_PORT']}/docs")
    assert (answer.status_code, answer.headers["location"]) == (308, "https://localhost/docs")


async def test_the_console_and_the_documents_are_served(installation: Composed) -> None:
    place = installation.reached()
    async with httpx.AsyncClient(base_url=place.base_url, trust_env=False, verify=place.tls) as client:
        for path in ("/docs", "/openapi.json", "/openapi/ingress.json"):
            answer = await client.get(path)
            assert answer.status_code == 200, (path, answer.text[:200])


async def test_a_stream_arrives_event_by_event(installation: Composed) -> None:
    place = installation.reached()
    async with Api(place.base_url, place.admin_token, tls=place.tls) as operator:
        project = (await operator.post("/v1/projects", {"name": "Streams"}))["id"]
    async with Api(place.base_url, place.admin_token, project, tls=place.tls) as api:
        bot = (await api.post("/v1/bots", {"name": "Streams"}))["id"]
        await api.post("/v1/channels", {"bot": bot, "type": "http", "name": "Program"})
        await api.publish_flow(bot, FLOW.with_name("welcome.yaml").read_text())
        token = (await api.post("/v1/tokens", {"name": "program", "scopes": ["bots:converse"]}))["token"]
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(
        base_url=place.base_url, headers=headers, trust_env=False, verify=place.tls, timeout=10
    ) as client:
        opened = await client.post(f"/v1/talk/{bot}/sessions", json={"person": {"peer_id": "me"}})
        chat = f"/v1/talk/{bot}/sessions/{opened.json()['session_id']}"
        async with client.stream("GET", f"{chat}/events", headers={"accept": "text/event-stream"}) as stream:
            said = {"client_message_id": "1", "type": "text", "text": "/start"}
            assert (await client.post(f"{chat}/messages", json=said)).is_success
            lines = stream.aiter_lines()
            data = [line async for line in until_data(lines)]
    assert json.loads(data[-1].removeprefix("data:"))


async def test_an_import_is_answered_while_it_is_sent(installation: Composed) -> None:
    place = installation.reached()
    async with Api(place.base_url, place.admin_token, tls=place.tls) as operator:
        project = (await operator.post("/v1/projects", {"name": "Imports"}))["id"]
    async with Api(place.base_url, place.admin_token, project, tls=place.tls) as api:
        await api.post("/v1/bots", {"name": "Imports"})
        token = (await api.post("/v1/tokens", {"name": "crm", "scopes": ["data:write"]}))["token"]
    await import_by_turns(place.base_url, {"authorization": f"Bearer {token}"}, place.tls)


async def until_data(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """The lines up to the first that has data; the stream itself goes on."""
    async for line in lines:
        yield line
        if line.startswith("data:"):
            return
