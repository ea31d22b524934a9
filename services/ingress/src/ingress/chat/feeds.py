"""What an attached instance knows of one conversation's messages. Pure: no clock, no Kafka.

A feed holds the messages after `floor` without a gap. Copies and backlogs come more than once and in any order: what lies
beyond a gap is put aside until a backlog has filled it.
"""

from __future__ import annotations

from collections.abc import Iterable

from contracts.replies import ChatMessage

KEPT = 200
"""Messages of one conversation that an instance remembers; who asks for older ones gets them from the engine."""
KEPT_BYTES = 256 * 1024
"""Bytes of these messages, but for the last one: each may have as many."""


class Feed:
    """Messages with `floor < seq <= last`, all of them."""

    __slots__ = ("_ahead", "_ahead_size", "_size", "floor", "messages")

    def __init__(self, floor: int) -> None:
        self.floor = floor
        self.messages: list[ChatMessage] = []
        self._ahead: dict[int, ChatMessage] = {}
        self._size = self._ahead_size = 0
        """Bytes of `messages`, and of what lies beyond a gap."""

    @property
    def last(self) -> int:
        """The highest seq known without a gap."""
        return self.messages[-1].seq if self.messages else self.floor

    @property
    def whole(self) -> bool:
        """Whether nothing is known beyond a gap."""
        return not self._ahead

    @property
    def size(self) -> int:
        """Bytes of all messages that are kept."""
        return self._size + self._ahead_size

    def after(self, seq: int) -> list[ChatMessage]:
        """The messages above `seq` (which is not below `floor`)."""
        return [message for message in self.messages if message.seq > seq] if seq < self.last else []

    def add_copies(self, copies: Iterable[ChatMessage]) -> None:
        """Take new messages; afterwards the feed may not be whole."""
        self._ahead.update((message.seq, message) for message in copies if message.seq > self.last)
        self._join()
        if (
            self._ahead_size > KEPT_BYTES
        ):  # The last one says that there is a gap, which a backlog fills with the others.
            last = max(self._ahead)
            self._ahead = {last: self._ahead[last]}
            self._ahead_size = _size_of(self._ahead[last])
        self._trim()
        if len(self._ahead) > KEPT or sum(map(_size_of, self._ahead.values())) > KEPT_BYTES:
            last = max(self._ahead)  # The backlog that closes the gap brings the others.
            self._ahead = {last: self._ahead[last]}

    def let_go(self) -> None:
        """Keep no message: who listens has them from the engine, in a backlog."""
        last = max(self._ahead, default=self.last)
        self.floor, self.messages, self._ahead = last, [], {}
        self._size = self._ahead_size = 0

    def add_backlog(self, after: int, backlog: Iterable[ChatMessage]) -> list[ChatMessage]:
        """Take what the engine has next above `after`, and give what is now known above it without a gap.

        A seq that is missing in a backlog is missing in the chat log, which is no gap. A backlog that ends below `floor` is a
        part of what is missing here: it is for who asked, and the feed stays as it is.
        """
        backlog = list(backlog)
        if backlog and backlog[-1].seq < self.floor:
            return backlog
        joins = self.floor <= after <= self.last
        kept = self.messages if joins or after < self.floor else []
        if not joins:
            self.floor = after
        known = {message.seq: message for message in (*kept, *backlog) if message.seq > self.floor}
        self.messages = [message for _, message in sorted(known.items())]
        self._size = sum(map(_size_of, self.messages))
        self._join()
        found = self.after(after)
        self._trim()
        return found

    def _join(self) -> None:
        last = self.last
        while (message := self._ahead.pop(last + 1, None)) is not None:
            self.messages.append(message)
            self._size += _size_of(message)
            last += 1
        if self._ahead:
            self._ahead = {seq: message for seq, message in self._ahead.items() if seq > last}
        self._ahead_size = sum(map(_size_of, self._ahead.values()))

    def _trim(self) -> None:
        surplus = max(0, len(self.messages) - KEPT)
        self._size -= sum(map(_size_of, self.messages[:surplus]))
        while self._size > KEPT_BYTES and surplus < len(self.messages) - 1:
            self._size -= _size_of(self.messages[surplus])
            surplus += 1
        if surplus:
            self.floor = self.messages[surplus - 1].seq
            del self.messages[:surplus]


def _size_of(message: ChatMessage) -> int:
    return len(message.content.encode())
