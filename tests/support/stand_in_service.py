"""`python -m support.stand_in_service`: a service that only says that it is ready and what its environment is."""

import asyncio
import json
import os

from aiohttp import web


async def answer(request: web.Request) -> web.Response:
    settings = {name: value for name, value in os.environ.items() if name.startswith("SWITCHHOOK_")}
    return web.json_response({"path": request.path, "pid": os.getpid(), "settings": settings}, dumps=json.dumps)


async def serve() -> None:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", int(os.environ["SWITCHHOOK_PORT"])).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
