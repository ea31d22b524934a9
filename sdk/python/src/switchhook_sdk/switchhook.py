"""An installation of Switchhook, as a program on its Kafka sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self, TypeVar

from faststream.kafka import KafkaBroker

from contracts import commands, events, project_topics
from switchhook_sdk.batches import Kafka
from switchhook_sdk.commands import Commands
from switchhook_sdk.handlers import Handler, wish
from switchhook_sdk.outcomes import Outcomes
from switchhook_sdk.settings import KafkaSettings
from switchhook_sdk.subscription import OnUnreadable, Start, Subscription

Declared = TypeVar("Declared", bound=Handler)


class Switchhook:
    """Declares what a program reads and sends on a FastStream broker or router, before that starts.

    `project`: the id of whose events and commands they are; None: handlers get those of all projects that the program may
    read. `own_topics`: the slug of a project that has topics of its own; events are read from there, commands written there, and
    groups are called what the project's programs are granted. `group`: what the program is called; its replicas share the
    events, and Kafka remembers how far they are. `start`: where a group begins that Kafka does not know. `topic_prefix`: of the installation. `on_unreadable`: gets each record that
    cannot be read or whose type is not known, with the reason; without it they are skipped with a line in the log.
    """

    def __init__(
        self,
        kafka: Kafka,
        *,
        project: str | None = None,
        own_topics: str | None = None,
        group: str | None = None,
        topic_prefix: str = "",
        start: Start = "earliest",
        on_unreadable: OnUnreadable | None = None,
    ) -> None:
        self.kafka, self.project, self.topic_prefix = kafka, project, topic_prefix
        self._own_topics = own_topics
        self._group, self._start, self._on_unreadable = group, start, on_unreadable
        self._subscription: Subscription | None = None

    @classmethod
    def from_environment(cls, **options: Any) -> Self:
        """With a broker of its own, by the settings SWITCHHOOK_KAFKA…; `options` are those of the class.

        Raises ValueError, in a sentence that names the setting.
        """
        settings = KafkaSettings.from_environment()
        return cls(settings.broker(), topic_prefix=settings.topic_prefix, **options)

    @property
    def broker(self) -> KafkaBroker:
        """The broker that it was given or made. Raises TypeError where it was given a router."""
        if not isinstance(self.kafka, KafkaBroker):
            raise TypeError("a router has no broker before one includes it")
        return self.kafka

    def events(self, *types: str, project: str | None = None) -> Callable[[Declared], Declared]:
        """Declare a handler of events: of types (`message.received`), groups of them (`tag.*`) or all (`*`).

        It is called with a `CloudEvent`, one at a time, in the order of the event's key, at least once. Raises ValueError
        for a type that there is not, TypeError for a handler that takes another model than its types have.
        """

        def declare(handler: Declared) -> Declared:
            declared = wish(types, project or self.project, handler)
            self._the_subscription().wishes.append(declared)
            return handler

        return declare

    def commands(self, token: str, *, source: str, outcomes: bool = True) -> Commands:
        """Commands with a token of the project. `source`: who sends them, `shop`.

        `outcomes`: whether `wait` can be used. The process then reads all events beside its group's, so the program needs to
        be allowed to. Raises ValueError where the project is not given: outcomes are known by it.
        """
        publisher = self.kafka.publisher(self.commands_topic)
        if not outcomes:
            return Commands(publisher, token, source, None)
        if self.project is None and self._own_topics is None:
            raise ValueError("project: it is needed to know the outcomes of its commands; or say outcomes=False")
        return Commands(publisher, token, source, Outcomes(self.kafka, self.events_topic, self.project))

    def name(self, topic: str) -> str:
        """What a topic or group is called on the cluster."""
        return self.topic_prefix + topic

    @property
    def events_topic(self) -> str:
        """What events are read from, by its name on the cluster."""
        own = self._own_topics
        return self.name((events.TOPIC if own is None else project_topics.events_topic(own)).name)

    @property
    def commands_topic(self) -> str:
        """What commands are written to, by its name on the cluster."""
        own = self._own_topics
        return self.name((commands.TOPIC if own is None else project_topics.commands_topic(own)).name)

    def _the_subscription(self) -> Subscription:
        if self._group is None:
            raise ValueError("group: it is needed to read events: what the program is called, and its replicas share")
        if self._subscription is None:
            self._subscription = Subscription(
                self.kafka,
                self.events_topic,
                self.name(self._group_name(self._group)),
                start=self._start,
                on_unreadable=self._on_unreadable,
            )
        return self._subscription

    def _group_name(self, group: str) -> str:
        """Programs with topics of their own are granted the groups that begin like these."""
        return group if self._own_topics is None else project_topics.groups_of(self._own_topics) + group
