"""The settings of topics: what holds and what of it is set on the topic itself, which the admin client gives as raw answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

SET_ON_THE_TOPIC = 1
"""Kafka's number for where a setting comes from: the topic itself (org.apache.kafka.clients.admin.ConfigEntry)."""


class TopicSettings(NamedTuple):
    """By the names that Kafka gives them. `holds`: all, also by the broker's defaults; `own`: what is set on the topic."""

    holds: dict[str, str]
    own: dict[str, str]


async def read(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, TopicSettings]:
    """Of topics that are there. Raises KafkaError."""
    told: dict[str, TopicSettings] = {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    for response in await admin.describe_configs(resources) if resources else ():
        for code, message, _, name, entries in response.resources:
            if code:
                raise for_code(code)(message or name)
            holds = {setting: value for setting, value, *_ in entries}
            own = {setting: value for setting, value, _, source, *_ in entries if source == SET_ON_THE_TOPIC}
            told[name] = TopicSettings(holds, own)
    return told


async def replace(admin: AIOKafkaAdminClient, name: str, settings: Mapping[str, str]) -> None:
    """From now on these and no others are set on the topic. Raises KafkaError."""
    (response,) = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, dict(settings))])
    for code, message, *_ in response.resources:
        if code:
            raise for_code(code)(message or name)
