"""Which door answers which row of the route table."""

from __future__ import annotations

from typing import NamedTuple

from contracts.routes import ROUTES
from ingress.chat.bot_api import BotApi
from ingress.chat.webchat import WebChat
from ingress.doors.hook_urls import HookUrls, keep_private
from ingress.doors.platform_inbound import PlatformInbound
from ingress.doors.redirects import Redirects
from ingress.doors.runs import Runs
from ingress.doors.signals import Signals
from ingress.web.places import Handler, Places


class Doors(NamedTuple):
    """One of each."""

    runs: Runs
    hook_urls: HookUrls
    redirects: Redirects
    platforms: PlatformInbound
    webchat: WebChat
    bot_api: BotApi
    signals: Signals


def places(doors: Doors) -> Places:
    """Every path that ingress answers. Raises UnboundRoute when doors and rows do not match."""
    handlers: dict[str, Handler] = {
        "POST /v1/run/{trigger}": doors.runs,
        "GET /v1/w/{signed}": doors.hook_urls,
        "POST /v1/w/{signed}": doors.hook_urls,
        "GET /v1/r/{signed}": doors.redirects,
        "GET /v1/in/{channel}/{random}": doors.platforms,
        "POST /v1/in/{channel}/{random}": doors.platforms,
        "POST /v1/talk/{bot}/sessions": doors.bot_api.open,
        "POST /v1/talk/{bot}/sessions/{session}/messages": doors.bot_api.say,
        "GET /v1/talk/{bot}/sessions/{session}/messages": doors.bot_api.listen,
        "DELETE /v1/talk/{bot}/sessions/{session}": doors.bot_api.close,
        "POST /v1/web/{channel}/sessions": doors.webchat.open,
        "POST /v1/web/{channel}/sessions/{session}/messages": doors.webchat.say,
        "GET /v1/web/{channel}/sessions/{session}/events": doors.webchat.listen,
        "POST /v1/signals": doors.signals,
    }
    return Places(ROUTES, handlers, {"w": keep_private, "r": keep_private, "web": doors.webchat.admit})
