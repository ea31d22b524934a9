"""One living process for each instance name in a group: whoever came last works, and the other one leaves the name to it."""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer

from servicekit.kafka.inside_aiokafka import consumers
from servicekit.kafka.inside_aiokafka.instance_names import Membership
from servicekit.kafka.undisturbed import undisturbed

ANSWER_SECONDS = 6.0


class NameTaken(Exception):
    """Another living process is a member of the group under our instance name."""


class OneName:
    """A process's claim to its instance name in one group, over all consumers that it makes there."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._was: Membership | None = None
        """What this process was in the group until another one joined it under the same name, which still is there."""

    @property
    def is_taken(self) -> bool:
        """Whether another process had the name when that was looked at last."""
        return self._was is not None

    def check(self, consumer: AIOKafkaConsumer) -> None:
        """Raises NameTaken when another process has taken the name of this consumer. Costs a look in memory."""
        if consumers.fenced(consumer):
            raise NameTaken(f"another process runs as instance {self._instance}")

    def ended(self, consumer: AIOKafkaConsumer) -> None:
        """Remember why this consumer is no member any more."""
        self._was = consumers.fenced(consumer) or self._was

    async def leave_to_another(self, consumer: AIOKafkaConsumer) -> None:
        """Before a consumer joins. Raises NameTaken while the process that has the name lives: joining would take its
        partitions from it. Raises KafkaError and TimeoutError when Kafka does not say."""
        if self._was is not None and await undisturbed(consumers.is_fenced(consumer, self._was), ANSWER_SECONDS):
            raise NameTaken(f"another process runs as instance {self._instance}")
        self._was = None

    def problem(self, topic: str) -> str | None:
        """For readiness of who reads the topic."""
        if self._was is None:
            return None
        return (
            f"{topic}: another process runs as instance {self._instance}: give each replica its own SWITCHHOOK_INSTANCE"
        )
