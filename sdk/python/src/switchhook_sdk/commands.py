"""Commands: checked by the models of contracts, sent under an id that makes a repeat harmless, and waited for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from aiokafka.errors import KafkaError, KafkaTimeoutError

from contracts import cloudevents
from contracts.commands import Command, CreateContact, MergeContacts, SendSignal, Start, UpdateContact
from contracts.commands import Say as SayCommand
from contracts.ids import new_id
from contracts.people import Person, Profile
from switchhook_sdk.outcomes import Outcome, Outcomes, OutcomeUnknown

Named = Person | Mapping[str, str]
"""A person: `{"channel_id": …, "peer_id": …}`, or one of `contact_id`, `external_id`, `phone`, `email`."""


class Commands:
    """What a program wants done. Each of `start`, `say`, `create`, `update`, `merge` and `signal` has two arguments in common:

    `id`: the idempotency key, 1 to 255 characters, of what the command is about (`order-17`); made where none is given. The
    same command under a used id is done once, another one is rejected. `wait`: how many seconds to wait for the outcome; None:
    return when Kafka has the command.

    Raises pydantic's ValidationError (a ValueError) for what is no command, before anything is sent; OutcomeUnknown where
    nobody can say whether it is done; KafkaError where Kafka refuses it.
    """

    def __init__(self, publisher: Any, token: str, source: str, outcomes: Outcomes | None) -> None:
        self._publisher, self._token, self._source, self._outcomes = publisher, token, source, outcomes

    async def start(
        self,
        *,
        bot: str,
        person: Named,
        flow: str,
        entry: str | None = None,
        variables: Mapping[str, Any] | None = None,
        id: str | None = None,
        wait: float | None = None,
    ) -> Outcome:
        """Start a flow, by its id or slug, at one of its webhook triggers (scope flows:execute)."""
        values = {"bot": bot, "person": person, "flow": flow, "entry": entry, "variables": variables or {}}
        return await self._send(Start.model_validate(values), id, wait)

    async def say(
        self, *, bot: str, person: Named, text: str, id: str | None = None, wait: float | None = None
    ) -> Outcome:
        """Write as a person, in the bot's own http channel (scope bots:converse)."""
        return await self._send(SayCommand.model_validate({"bot": bot, "person": person, "text": text}), id, wait)

    async def create(
        self,
        *,
        bot: str,
        profile: Mapping[str, str] | None = None,
        variables: Mapping[str, Any] | None = None,
        tags: Iterable[str] = (),
        flags: Iterable[str] = (),
        id: str | None = None,
        wait: float | None = None,
    ) -> Outcome:
        """Make a contact, who need not have written to the bot (scope data:write). The outcome has its `contact_id`."""
        values = {"bot": bot, "profile": profile or {}, "variables": variables or {}}
        labels = {"tags": tuple(tags), "flags": tuple(flags)}
        return await self._send(CreateContact.model_validate(values | labels), id, wait)

    async def merge(
        self, *, bot: str, person: Named, contact: str, id: str | None = None, wait: float | None = None
    ) -> Outcome:
        """Make `contact`, another one by its id, this person from then on (scope data:write)."""
        values = {"bot": bot, "person": person, "contact": contact}
        return await self._send(MergeContacts.model_validate(values), id, wait)

    async def update(
        self,
        *,
        bot: str,
        person: Named,
        profile: Profile | Mapping[str, str] | None = None,
        variables: Mapping[str, Any] | None = None,
        add_tags: Iterable[str] = (),
        remove_tags: Iterable[str] = (),
        add_flags: Iterable[str] = (),
        remove_flags: Iterable[str] = (),
        clear: Iterable[str] = (),
        id: str | None = None,
        wait: float | None = None,
    ) -> Outcome:
        """Change a contact (scope data:write). `clear` names fields of the profile; a variable of None is cleared.

        It is applied when the event `contact.updated` says so.
        """
        values = {"bot": bot, "person": person, "profile": profile or {}, "variables": variables or {}}
        tags = {"add_tags": tuple(add_tags), "remove_tags": tuple(remove_tags), "clear": tuple(clear)}
        flags = {"add_flags": tuple(add_flags), "remove_flags": tuple(remove_flags)}
        return await self._send(UpdateContact.model_validate(values | tags | flags), id, wait)

    async def signal(
        self,
        *,
        bot: str,
        person: Named,
        name: str,
        data: Mapping[str, Any] | None = None,
        id: str | None = None,
        wait: float | None = None,
    ) -> Outcome:
        """Tell a flow that waits in `wait_event` that something happened (scope flows:execute)."""
        values = {"bot": bot, "person": person, "name": name, "data": data or {}}
        return await self._send(SendSignal.model_validate(values), id, wait)

    async def _send(self, command: Command, id: str | None, wait: float | None) -> Outcome:
        id = new_id() if id is None else id
        if not 0 < len(id) <= 255:
            raise ValueError("id: it has to be a text of 1 to 255 characters")
        send = partial(self._publish, command, id)
        if wait is not None:
            if self._outcomes is None:
                raise ValueError("wait: these commands were made with outcomes=False, so nothing hears of outcomes")
            return await self._outcomes.after(id, send, wait)
        await send()
        return Outcome(id, "sent")

    async def _publish(self, command: Command, id: str) -> None:
        """Acknowledged. Commands about one person have one key, so they stay in order; the partition is murmur2's."""
        made = cloudevents.headers(
            id=id, type=f"command.{command.kind}", source=self._source, time=cloudevents.now_text()
        )
        headers = {name: value.decode() for name, value in made} | {"authorization": f"Bearer {self._token}"}
        about = id if isinstance(command, CreateContact) else command.person.named()
        key = f"{command.bot}/{about}".encode()
        try:
            await self._publisher.publish(command.encode(), key=key, headers=headers)
        except KafkaError as error:
            if not (error.retriable or isinstance(error, KafkaTimeoutError)):
                raise
            raise OutcomeUnknown(id, f"Kafka did not acknowledge it ({type(error).__name__})") from error
