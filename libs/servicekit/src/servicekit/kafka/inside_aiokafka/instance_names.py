"""Of two living processes with one instance name the group keeps the one that joined last, and the other one learns why.

aiokafka's heartbeats and commits do not name the instance, so who was replaced is told that it is no member, as one that was
silent for too long is; it then joins again at once, and thereby replaces the other one, and so on for ever. Here it first
asks by a heartbeat that names the instance (KIP-345, version 3 of the request, Kafka 2.3) which of the two it is. And for
the answer (82, FENCED_INSTANCE_ID), which a join can get as well, aiokafka has no class.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from aiokafka import errors
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import (
    BrokerResponseError,
    GroupCoordinatorNotAvailableError,
    IncompatibleBrokerVersion,
    KafkaError,
    NotCoordinatorForGroupError,
    for_code,
)
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Int16, Int32, Schema, String


class FencedInstanceId(BrokerResponseError):  # type: ignore[misc]
    """Another process joined the group under our instance name, and is a member of it."""

    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "Another member joined the group under the same instance name."


class Membership(NamedTuple):
    """What a process was in its group: the id that the broker had given it, and when."""

    member: str
    generation: int


class InstanceHeartbeatResponse(Response):  # type: ignore[misc]
    """Version 3 of the answer to a heartbeat, as Kafka's protocol guide has it."""

    API_KEY = 12
    API_VERSION = 3
    SCHEMA = Schema(("throttle_time_ms", Int32), ("error_code", Int16))


class InstanceHeartbeatStruct(RequestStruct):  # type: ignore[misc]
    """Version 3 of a heartbeat."""

    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = InstanceHeartbeatResponse
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class InstanceHeartbeat(Request[InstanceHeartbeatStruct]):  # type: ignore[misc]
    """A heartbeat of a member that names its instance."""

    API_KEY = 12

    def __init__(self, group: str, instance: str, was: Membership) -> None:
        self._group, self._instance, self._was = group, instance, was

    def build(self, request_struct_class: type[InstanceHeartbeatStruct]) -> InstanceHeartbeatStruct:
        return request_struct_class(self._group, self._was.generation, self._was.member, self._instance)


_reset, _rejoin = GroupCoordinator.reset_generation, GroupCoordinator._do_rejoin_group
_was: WeakKeyDictionary[Any, Membership] = WeakKeyDictionary()
"""Coordinator -> what it was until it was told that it is no member; nothing once it is known why."""
_fenced: WeakKeyDictionary[Any, Membership] = WeakKeyDictionary()
"""The same, of those whose name another process has."""


def fenced(coordinator: Any) -> Membership | None:
    """What this consumer's coordinator was in its group until another process took its name; None when none has."""
    return None if coordinator is None else _fenced.get(coordinator)  # It has none before it has started.


async def is_fenced(coordinator: Any, was: Membership) -> bool:
    """Whether another living process has the name of one that was that member. Raises KafkaError."""
    await coordinator.ensure_coordinator_known()
    request = InstanceHeartbeat(coordinator.group_id, coordinator._group_instance_id, was)
    try:
        answer = await coordinator._send_req(request)
    except (IncompatibleBrokerVersion, NotImplementedError):
        return False
    error = for_code(answer.error_code)
    if error in (GroupCoordinatorNotAvailableError, NotCoordinatorForGroupError):
        coordinator.coordinator_dead()
        raise error
    return error is FencedInstanceId


def reset_generation(self: Any) -> None:
    """In place of `GroupCoordinator.reset_generation`: it is no member any more."""
    if self._group_instance_id and self.member_id:
        _was[self] = Membership(self.member_id, self.generation)
    _reset(self)


async def do_rejoin_group(self: Any, subscription: Any) -> bool:
    """In place of `GroupCoordinator._do_rejoin_group`. Raises FencedInstanceId for as long as another one has the name."""
    if (was := _was.get(self)) is not None:
        try:
            taken = await is_fenced(self, was)
        except KafkaError:
            await asyncio.sleep(self._retry_backoff_ms / 1000)
            return False
        if taken:
            _fenced[self] = was
            raise FencedInstanceId(self._group_instance_id)
        # Once only: a join whose answer is lost makes this process another member, and the question would be about itself.
        del _was[self]
    try:
        return bool(await _rejoin(self, subscription))
    except KafkaError as error:
        if FencedInstanceId.__name__ not in str(error):  # aiokafka wraps what it does not expect in a KafkaError.
            raise
        self.reset_generation()
        return False


def install() -> None:
    """Put both in their places, and make the error known."""
    errors.kafka_errors[FencedInstanceId.errno] = FencedInstanceId
    GroupCoordinator.reset_generation, GroupCoordinator._do_rejoin_group = reset_generation, do_rejoin_group
