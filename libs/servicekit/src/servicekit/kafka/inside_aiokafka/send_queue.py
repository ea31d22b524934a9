"""A producer's queue of batches: what is put in, in which order, and that nothing of it is sent any more."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder, MessageBatch

__all__ = ["BatchBuilder", "MessageBatch", "SendQueue", "waiters"]


class SendQueue:
    """The queue of one started producer. Topics have the names that they have on the cluster."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer

    def partitions(self, topic: str) -> int:
        """How many partitions the topic has, 0 when that is not known yet."""
        return len(self.producer.client.cluster._partitions.get(topic, ()))  # Its public method makes a set each time.

    def new_batch(self) -> BatchBuilder:
        """An empty batch, in no queue yet."""
        return self.producer._message_accumulator.create_builder()

    def append(self, batch: BatchBuilder, tp: TopicPartition) -> MessageBatch:
        """Put a batch behind all that wait for that partition."""
        return self.producer._message_accumulator._append_batch(batch, tp)

    def waiting(self, tp: TopicPartition) -> int:
        """How many batches wait for that partition."""
        return len(self.producer._message_accumulator._batches.get(tp, ()))

    def last(self, tp: TopicPartition) -> MessageBatch | None:
        """The one that would be sent last."""
        queued = self.producer._message_accumulator._batches.get(tp)
        return queued[-1] if queued else None

    def clear(self) -> None:
        """Forget every batch that is not on its way yet."""
        self.producer._message_accumulator._batches.clear()

    async def close(self) -> None:
        """Let go of the connections without waiting for what is still unsent."""
        self.producer._closed = True
        sender = self.producer._sender.sender_task
        if sender is not None:
            sender.cancel()
        await self.producer.client.close()
        if sender is not None:
            await asyncio.wait([sender], timeout=5)


def waiters(batch: MessageBatch) -> list[asyncio.Future[Any]]:
    """The future of each single record in the batch."""
    return [future for future, _ in batch._msg_futures]
