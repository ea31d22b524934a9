"""Copies what is said in a project's chats to another bus; here a topic of another Kafka, in whose place anything can stand.

PROJECT: the project's id. BUS: `host:port` of the other Kafka, BUS_TOPIC: the topic there. Switchhook's Kafka by the settings
SWITCHHOOK_KAFKA…. An event counts as handled once the bus has it; a repeat has the same `ce_id`.
"""

import asyncio
import os

from faststream import FastStream
from faststream.kafka import KafkaBroker

from switchhook_sdk import CloudEvent, Switchhook, data

switchhook = Switchhook.from_environment(project=os.environ["PROJECT"], group="bridge")
bus = KafkaBroker(os.environ["BUS"], acks="all", enable_idempotence=True)
app = FastStream(bus, switchhook.broker)


@switchhook.events("message.received", "message.sent")
async def copy(event: CloudEvent[data.MessageReceivedData | data.MessageSentData]) -> None:
    """The conversation is the key, so what is said in one stays in order."""
    await bus.publish(
        {"text": event.data.message.text, "conversation": event.conversation, "at": event.time.isoformat()},
        os.environ["BUS_TOPIC"],
        key=(event.conversation or event.id).encode(),
        headers={"ce_id": event.id, "ce_type": event.type, "ce_source": "switchhook", "ce_specversion": "1.0"},
    )


if __name__ == "__main__":
    asyncio.run(app.run())
