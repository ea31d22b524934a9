"""A service's OpenAPI document is no part of its start."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from dispatcher.web.routes import make_app
from servicekit.web import routes
from support import asgi


async def test_it_is_made_once_and_beside_the_event_loop_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made_in: list[threading.Thread] = []
    make = routes.document

    def noted(*described: Any) -> dict[str, Any]:
        made_in.append(threading.current_thread())
        return make(*described)

    monkeypatch.setattr(routes, "document", noted)
    deps: Any = SimpleNamespace(authoriser=None, pool=None)
    app = make_app(deps)
    assert made_in == []
    answers = await asyncio.gather(*(asgi.call(app, "GET", "/openapi/dispatcher.json") for _ in range(3)))
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert "/v1/deliveries" in answers[2].json["paths"]
    assert len(made_in) == 1
    assert made_in[0] is not threading.main_thread()
