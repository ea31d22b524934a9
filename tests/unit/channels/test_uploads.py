import asyncio

import httpx
import pytest
from aiohttp import web

from channels.uploads import File, multipart
from support.receiver import serving

PHOTO = File("photo", 'a "b"\r\n.png', "image/png", b"\x89PNG\r\n--boundary\x00")


def test_the_same_input_gives_the_same_bytes_and_no_boundary_is_in_the_data() -> None:
    media_type, body = multipart(PHOTO, {"a": "1"})
    assert (media_type, body) == multipart(PHOTO, {"a": "1"})
    boundary = media_type.partition("boundary=")[2].encode()
    assert boundary not in PHOTO.data


@pytest.mark.parametrize("fields", [{}, {"caption": "über", "n": "1"}])
async def test_a_server_reads_what_was_meant(fields: dict[str, str]) -> None:
    read: asyncio.Future[dict[str, object]] = asyncio.get_running_loop().create_future()

    async def handle(request: web.Request) -> web.Response:
        form = await request.post()
        read.set_result({name: v.file.read() if isinstance(v, web.FileField) else v for name, v in form.items()})
        return web.Response()

    media_type, body = multipart(PHOTO, fields)
    async with serving(handle) as url, httpx.AsyncClient() as client:
        await client.post(url, content=body, headers={"content-type": media_type})
    assert await read == {**fields, "photo": PHOTO.data}
