"""Channels as their platforms' modules read them: with secrets open only where a call cannot be proved without."""

from __future__ import annotations

import structlog

from channels.port import Account
from contracts.registry import Channel
from ingress.lookup.catalogue import Remembered
from ingress.ports import View
from servicekit.credentials.channel_credentials import open_credentials
from servicekit.credentials.sealing import KeyRing, SealError
from servicekit.misconfigured import not_set
from servicekit.web.problems import unavailable

log = structlog.get_logger()


class Accounts:
    """`keys` None: this installation gives ingress no key, which is enough for channels that are proved by a digest."""

    def __init__(self, view: View, keys: KeyRing | None) -> None:
        self._keys, self._opened = keys, Remembered[Account](view)

    def of(self, channel: Channel, *, opened: bool) -> Account:
        """The channel's account. Raises ProblemError 503 when its secrets are needed and cannot be opened here."""
        if not opened:
            return Account(channel, {})
        known = self._opened.get(channel.id)
        return known or self._opened.put(channel.id, Account(channel, self._credentials(channel)))

    def _credentials(self, channel: Channel) -> dict[str, str]:
        try:
            if self._keys is None:
                raise SealError(str(not_set("SWITCHHOOK_KEK")))
            return open_credentials(self._keys, channel)
        except SealError as error:
            log.error("channel.sealed", channel_id=channel.id, error=str(error))
            raise unavailable("The channel's secrets cannot be opened here.") from error
