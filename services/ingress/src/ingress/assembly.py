"""All doors of ingress, made from what they share."""

from __future__ import annotations

import time
from dataclasses import dataclass

from channels.discovery import installed
from contracts.routes import ROUTES
from ingress.chat.attachments import Attachments
from ingress.chat.bot_api import BotApi
from ingress.chat.webchat import WebChat
from ingress.commands.command_intake import CommandIntake
from ingress.doors.hook_urls import HookUrls, keep_private
from ingress.doors.platform_inbound import PlatformInbound
from ingress.doors.redirects import Redirects
from ingress.doors.runs import Runs
from ingress.doors.signals import Signals
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Limiter
from ingress.intake.request_log import RequestLog
from ingress.lookup.accounts import Accounts
from ingress.lookup.catalogue import Catalog
from ingress.ports import Asking, Publishing, View
from ingress.settings import Settings
from ingress.web.app import App
from ingress.web.http import json_answer
from ingress.web.openapi import OPERATIONS
from ingress.web.routes import Handler, Places
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing
from servicekit.web.auth import Authoriser
from servicekit.web.openapi import document, document_path


@dataclass(frozen=True, slots=True)
class Ingress:
    """The application and what else listens to Kafka on its behalf."""

    app: App
    intake: Intake
    attachments: Attachments
    commands: CommandIntake


class Instances:
    """How many instances live, looked up once a second: every request asks."""

    def __init__(self, asker: Asking) -> None:
        self._asker, self._count, self._until = asker, 1, 0.0

    def __call__(self) -> int:
        now = time.monotonic()
        if now >= self._until:
            self._count, self._until = self._asker.instances, now + 1
        return self._count


def build(settings: Settings, view: View, asker: Asking, publisher: Publishing) -> Ingress:
    """Wire the doors. Raises ValueError when SWITCHHOOK_LINK_KEY is not set, BrokenConnector for a package's channel."""
    connectors = installed()
    catalog, authoriser = Catalog(view, connectors), Authoriser(view, settings.admin_token)
    keys, limiter = LinkKeys(settings.link_key), Limiter(Instances(asker))
    intake = Intake(publisher, asker, view)
    attachments = Attachments(intake, asker, settings.attaches_per_second)
    accounts = Accounts(view, KeyRing(settings.kek) if settings.kek else None)
    runs = Runs(catalog, authoriser, limiter, intake, RequestLog(intake))
    hook_urls = HookUrls(catalog, keys, limiter, intake, settings.public_url)
    platforms = PlatformInbound(catalog, accounts, intake)
    webchat = WebChat(catalog, keys, limiter, intake, attachments, settings.public_url)
    bot_api = BotApi(catalog, keys, limiter, intake, attachments)
    handlers: dict[str, Handler] = {
        "POST /v1/run/{trigger}": runs,
        "GET /v1/w/{signed}": hook_urls,
        "POST /v1/w/{signed}": hook_urls,
        "GET /v1/r/{signed}": Redirects(catalog, keys, limiter, intake),
        "GET /v1/in/{channel}/{random}": platforms,
        "POST /v1/in/{channel}/{random}": platforms,
        "POST /v1/talk/{bot}/sessions": bot_api.open,
        "POST /v1/talk/{bot}/sessions/{session}/messages": bot_api.say,
        "GET /v1/talk/{bot}/sessions/{session}/messages": bot_api.listen,
        "POST /v1/web/{channel}/sessions": webchat.open,
        "POST /v1/web/{channel}/sessions/{session}/messages": webchat.say,
        "GET /v1/web/{channel}/sessions/{session}/events": webchat.listen,
        "POST /v1/signals": Signals(catalog, limiter, intake),
    }
    places = Places(ROUTES, handlers, {"w": keep_private, "r": keep_private, "web": webchat.admit})
    pages = {document_path("ingress"): json_answer(200, document("ingress", OPERATIONS))}
    return Ingress(
        App(places, authoriser, lambda: view.ready and asker.ready, pages),
        intake,
        attachments,
        CommandIntake(catalog, authoriser, limiter, intake),
    )
