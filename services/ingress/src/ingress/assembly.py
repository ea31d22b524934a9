"""All doors of ingress, made from what they share."""

from __future__ import annotations

from dataclasses import dataclass

from channels.discovery import installed
from ingress.chat.attachments import Attachments
from ingress.chat.bot_api import BotApi
from ingress.chat.closed_sessions import ClosedSessions
from ingress.chat.webchat import WebChat
from ingress.commands.command_intake import CommandIntake
from ingress.doors.hook_urls import HookUrls
from ingress.doors.platform_inbound import PlatformInbound
from ingress.doors.redirects import Redirects
from ingress.doors.runs import Runs
from ingress.doors.signals import Signals
from ingress.intake.publishing import Intake
from ingress.intake.rate_limits import Limiter
from ingress.intake.request_log import RequestLog
from ingress.lookup.accounts import Accounts
from ingress.lookup.catalogue import Catalogue
from ingress.ports import Asking, Publishing, View
from ingress.settings import Settings
from ingress.web.app import App
from ingress.web.openapi import OPERATIONS
from ingress.web.routes import Doors, places
from ingress.wire.http import json_answer
from servicekit.credentials.links import LinkKeys
from servicekit.credentials.sealing import KeyRing
from servicekit.web.asking import WaitingCallers
from servicekit.web.auth import Authoriser
from servicekit.web.openapi import document, document_path


@dataclass(frozen=True, slots=True)
class Ingress:
    """The application and what else listens to Kafka on its behalf."""

    app: App
    intake: Intake
    attachments: Attachments
    closed: ClosedSessions
    commands: CommandIntake


def build(settings: Settings, view: View, asker: Asking, publisher: Publishing) -> Ingress:
    """Wire the doors. Raises ValueError when SWITCHHOOK_LINK_KEY is not set, BrokenConnector for a package's channel."""
    connectors = installed()
    catalogue, authoriser = Catalogue(view, connectors), Authoriser(view, settings.admin_token)
    keys, limiter = LinkKeys(settings.link_key), Limiter(lambda: asker.instances)
    most, setting = settings.waiting_callers, "SWITCHHOOK_WAITING_CALLERS"
    intake = Intake(publisher, asker, view, WaitingCallers(most, setting=setting))
    listeners = WaitingCallers(most, "or ask without wait, and not for a stream.", setting=setting)
    attachments = Attachments(intake, asker, settings.attaches_per_second, listeners)
    closed = ClosedSessions(publisher)
    accounts = Accounts(view, KeyRing(settings.kek) if settings.kek else None)
    doors = Doors(
        runs=Runs(catalogue, authoriser, limiter, intake, RequestLog(intake)),
        hook_urls=HookUrls(catalogue, keys, limiter, intake, settings.public_url),
        redirects=Redirects(catalogue, keys, limiter, intake),
        platforms=PlatformInbound(catalogue, accounts, limiter, intake),
        webchat=WebChat(catalogue, keys, limiter, intake, attachments, authoriser, settings.public_url),
        bot_api=BotApi(catalogue, keys, limiter, intake, attachments, closed, authoriser),
        signals=Signals(catalogue, limiter, intake),
    )
    pages = {document_path("ingress"): json_answer(200, document("ingress", OPERATIONS))}
    return Ingress(
        App(places(doors), authoriser, lambda: view.ready and asker.ready, pages),
        intake,
        attachments,
        closed,
        CommandIntake(catalogue, authoriser, limiter, intake),
    )
