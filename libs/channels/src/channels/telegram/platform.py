"""Telegram behind the port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from channels.limits import too_much
from channels.port import Account, Platform
from channels.proof import has_digest
from channels.reading import Reading
from channels.receiving import UNREADABLE, InboundCall, NotProven, Reply, Taken, unread
from channels.sending import Plan, Refusal
from channels.telegram import answers, requests, updates
from channels.telegram.facts import DESCRIPTOR, SECRET_HEADER
from contracts.actions import AcknowledgeTap, SendMessage

FORGED = NotProven("The secret token of the channel is missing or not its own.")
NO_TOKEN = Refusal("no-token", "The channel has no usable bot token.")
BAD_METHOD = Refusal("bad-method", "A method's name is letters only.")
OK = Reply()


class Telegram(Platform):
    """Stateless; one for all channels."""

    __slots__ = ()

    def identity(self, credentials: Mapping[str, str]) -> str | None:
        """The part of the token before its colon."""
        return credentials["token"].partition(":")[0]

    def receive(self, account: Account, call: InboundCall) -> Taken | NotProven:
        """One update a call."""
        if not has_digest(call.header(SECRET_HEADER), account.channel.secret_token_sha256):
            return FORGED
        update = call.object()
        try:
            made = updates.normalise(update, account.channel, call.received_at)
        except UNREADABLE as error:
            return unread(error, OK)
        return Taken(made, OK)

    def send(self, account: Account, message: SendMessage, *, first: bool) -> Plan | Refusal:
        """sendMessage; on the first attempt the tap it answers is acknowledged before it."""
        if refusal := too_much(message.content, DESCRIPTOR.limits, DESCRIPTOR.title):
            return refusal
        if not requests.has_token(account):
            return NO_TOKEN
        return requests.message(account, message, first=first)

    def acknowledge(self, account: Account, tap: AcknowledgeTap) -> Plan | Refusal:
        """answerCallbackQuery: ends the spinner on the button."""
        return requests.acknowledgement(account, tap.callback_id) if requests.has_token(account) else NO_TOKEN

    def call(self, account: Account, method: str, params: Mapping[str, Any]) -> Plan | Refusal:
        """Any method; setWebhook gets where we are and our secret from the credentials."""
        if not requests.METHOD.fullmatch(method):
            return BAD_METHOD
        return requests.method(account, method, params) if requests.has_token(account) else NO_TOKEN

    def read(self, step: str, status: int, headers: Mapping[str, str], body: bytes) -> Reading:
        """Telegram's answers are alike for all methods."""
        return answers.read(status, body)
