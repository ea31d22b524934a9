"""A shop that orders over Kafka and reads what became of it. Usage: orders_over_kafka.py ORDER_ID PEER_ID

KAFKA: host and port, which `./switchhook dev` prints. TOKEN: one with the scope flows:execute. BOT and CHANNEL: as make.sh
prints them. Any Kafka client will do; this is confluent-kafka, which `.venv/bin/python` has.
"""

import json
import os
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

PATIENCE_SECONDS = 30


def order(producer: Producer, order_id: str, peer_id: str) -> None:
    command = {
        "kind": "start",
        "bot": os.environ["BOT"],
        "person": {"channel_id": os.environ["CHANNEL"], "peer_id": peer_id},
        "flow": "order",
        "entry": "ordered",
        "variables": {"order_id": order_id},
    }
    headers = {"authorization": f"Bearer {os.environ['TOKEN']}", "ce_id": f"order-{order_id}"}
    producer.produce("switchhook.commands.v1", json.dumps(command), headers=list(headers.items()))
    if producer.flush(PATIENCE_SECONDS):
        sys.exit("Kafka did not take the command.")


def outcome(consumer: Consumer, order_id: str) -> dict:
    """The data of `command.accepted` or `command.rejected`."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        record = consumer.poll(1)
        if record is None or record.error():
            continue
        headers = dict(record.headers() or [])
        if headers.get("ce_type", b"").startswith(b"dev.switchhook.command."):
            data = json.loads(record.value())["data"]
            if data["command"]["id"] == f"order-{order_id}":
                return data
    sys.exit("Nothing was said about the command.")


def from_now_on(consumer: Consumer) -> None:
    """Read what comes after this moment; a service of its own would use a group and commit instead."""
    topic = consumer.list_topics("switchhook.events.v1").topics["switchhook.events.v1"]
    partitions = [TopicPartition("switchhook.events.v1", number) for number in topic.partitions]
    for each in partitions:
        each.offset = consumer.get_watermark_offsets(each)[1]
    consumer.assign(partitions)


order_id, peer_id = sys.argv[1:]
kafka = {"bootstrap.servers": os.environ["KAFKA"]}
consumer = Consumer({**kafka, "group.id": "shop"})
from_now_on(consumer)
order(Producer(kafka), order_id, peer_id)
told = outcome(consumer, order_id)
consumer.close()
print(told.get("status") or f"{told['problem']['type']}: {told['problem']['detail']}")
