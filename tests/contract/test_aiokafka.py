"""What servicekit.kafka.inside_aiokafka replaces in aiokafka or reads inside of it is there, and is what we take it for.

A test that fails here after an update of aiokafka names the part to look at. Nothing here needs a broker.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, cluster
from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import CoordinatorGroupRebalance, GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaConnectionError, KafkaError, for_code
from aiokafka.protocol import fetch
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.struct import Struct
from aiokafka.record.default_records import DefaultRecordBatch, DefaultRecordBatchBuilder, _DefaultRecordBatchPy

from servicekit.kafka.clients import make_consumer, make_producer
from servicekit.kafka.cluster import Cluster
from servicekit.kafka.inside_aiokafka import (
    connections,
    consumers,
    decoding,
    fetching,
    incarnations,
    instance_names,
    missing_topics,
    send_queue,
    wire_format,
)
from servicekit.kafka.records import BAD_NAME, Record

NOWHERE = Cluster("127.0.0.1:1", "blue.")
TP = TopicPartition("blue.t", 0)


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


@pytest.fixture
async def producer() -> AsyncIterator[AIOKafkaProducer]:
    made = make_producer(NOWHERE)
    yield made
    await send_queue.SendQueue(made).close()


def test_our_parts_are_in_their_places() -> None:
    assert fetcher.MemoryRecords is decoding.TolerantRecords
    assert fetcher.PartitionRecords is decoding.TolerantPartitionRecords
    assert AIOKafkaConnection.send is connections.send
    assert AIOKafkaConnection.connect is connections.connect
    assert AIOKafkaClient.send is fetching.send
    assert (Struct.encode, Struct.decode.__func__) == (wire_format.encode, wire_format.decode)


def test_the_fetcher_makes_both_by_these_names_and_arguments() -> None:
    source = inspect.getsource(Fetcher)
    assert "MemoryRecords(" in source
    assert "PartitionRecords(" in source
    assert parameters(decoding.TolerantPartitionRecords.__mro__[1].__init__)[:2] == ["self", "tp"]
    assert parameters(decoding.TolerantPartitionRecords.__mro__[1]._consumer_record) == ["self", "tp", "record"]


def test_memory_records_offer_what_ours_do() -> None:
    from aiokafka.record.memory_records import MemoryRecords

    theirs = {name for name in dir(MemoryRecords) if not name.startswith("_")}
    assert theirs == {name for name in dir(decoding.TolerantRecords) if not name.startswith("_")}


def test_records_are_built_in_cython() -> None:
    """In Python they cost more than the work on them; aiokafka falls back to it without a word."""
    assert "_crecords" in DefaultRecordBatch.__module__
    assert "_crecords" in DefaultRecordBatchBuilder.__module__


def test_a_batch_is_decoded_by_our_own_code_as_by_theirs() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 1000, b"k", b"v", [("h", b"1"), ("n", None)])
    builder.append(1, 1001, None, None, [])
    data = memoryview(bytes(builder.build()))
    assert {"_buffer", "_pos", "_num_records"} <= set(dir(iter(_DefaultRecordBatchPy(data.tobytes()))))
    theirs = [(one.offset, one.timestamp, one.key, one.value, list(one.headers)) for one in DefaultRecordBatch(data)]
    ours = [(one.offset, one.timestamp, one.key, one.value, list(one.headers)) for one in decoding._leniently(data)]
    assert ours == theirs


def test_our_consumers_records_are_ours_and_without_the_prefix() -> None:
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 1 << 20)
    builder.append(0, 1000, b"k", b"v", [(BAD_NAME, b"1")])
    records = decoding.TolerantRecords(bytes(builder.build()))
    made = decoding.TolerantPartitionRecords(TP, records, [], 0, None, decoding.AsRecords(NOWHERE), True, 0)
    assert list(made) == [Record("t", 0, 0, 1000, b"k", b"v", ((BAD_NAME, b"1"),))]


async def test_a_consumer_has_a_fetcher_whose_waiting_can_be_set_and_whose_end_be_seen() -> None:
    client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
    made = Fetcher(client, SubscriptionState())
    try:
        assert {"_fetch_min_bytes", "_fetch_max_wait_ms"} <= vars(made).keys()
        assert isinstance(made.error_future, asyncio.Future)
        assert not made.error_future.done()
    finally:
        await made.close()
        await client.close()


async def test_a_fetch_is_a_task_that_may_be_cancelled() -> None:
    """It ends with False then, and the fetcher goes on with what is to be fetched now."""
    source = inspect.getsource(Fetcher._proc_fetch_request)
    assert "response = await self._client.send(node_id, request)" in source
    assert "except asyncio.CancelledError:" in source
    assert parameters(fetching._send) == ["self", "node_id", "request", "group"]
    assert "if tp in self._records:" in inspect.getsource(Fetcher._get_actions_per_node)
    assert "conn_id = (node_id, group)" in inspect.getsource(AIOKafkaClient._get_conn)
    request = FetchRequest(7, 1, 1024, 0, [])
    assert (request._max_wait_ms, request._min_bytes) == (7, 1)


async def test_a_consumer_has_a_client_with_connections_and_metadata() -> None:
    consumer = make_consumer(NOWHERE, client_id="test", group="g")
    assert isinstance(consumer, AIOKafkaConsumer)
    assert consumer._fetcher is None, "it is made as the consumer starts"
    assert isinstance(consumer._client, AIOKafkaClient)
    assert consumer._client._conns == {}
    assert consumers.fenced(consumer) is None
    assert parameters(consumer._client._wait_on_metadata) == ["topic"]
    await consumers.close(consumer)


async def test_batches_are_put_in_a_producers_queue_in_order(producer: AIOKafkaProducer) -> None:
    queue = send_queue.SendQueue(producer)
    assert (queue.partitions("blue.t"), queue.waiting(TP), queue.last(TP)) == (0, 0, None)
    first, second = (queue.append(queue.new_batch(), TP) for _ in range(2))
    assert (queue.waiting(TP), queue.last(TP)) == (2, second)
    future = second.append(b"k", b"v", None, headers=[])
    assert send_queue.waiters(second) == [future]
    assert (first.tp, second.record_count) == (TP, 1)
    assert isinstance(second.future, asyncio.Future)
    queue.clear()
    assert queue.waiting(TP) == 0
    for batch in (first, second):
        batch.future.cancel()
    future.cancel()


async def test_a_producer_can_be_closed_although_it_never_started(producer: AIOKafkaProducer) -> None:
    assert producer._sender.sender_task is None
    assert producer._closed is False
    assert parameters(producer._message_accumulator._append_batch) == ["builder", "tp"]


async def test_a_member_that_is_none_any_more_comes_to_one_place() -> None:
    assert GroupCoordinator.reset_generation is instance_names.reset_generation
    assert GroupCoordinator._do_rejoin_group is instance_names.do_rejoin_group
    assert parameters(instance_names._reset) == ["self"]
    assert parameters(instance_names._rejoin) == ["self", "subscription"]
    assert for_code(82) is instance_names.FencedInstanceId
    for refused in (CoordinatorGroupRebalance.perform_group_join, CoordinatorGroupRebalance._send_sync_group_request):
        assert "raise Errors.KafkaError(repr(err))" in inspect.getsource(refused)
    told = str(KafkaError(repr(instance_names.FencedInstanceId())))
    assert instance_names.FencedInstanceId.__name__ in told


def test_a_member_of_a_group_can_be_asked_to_join_again() -> None:
    assert parameters(GroupCoordinator.request_rejoin) == ["self"]
    assert "self._coordinator = GroupCoordinator(" in inspect.getsource(AIOKafkaConsumer)


async def test_a_client_asks_for_metadata_in_one_place_and_says_which_topics_are_missing() -> None:
    assert AIOKafkaClient._metadata_update is missing_topics.metadata_update
    assert parameters(missing_topics._update) == ["self", "cluster_metadata", "topics"]
    assert "self._metadata_update(" in inspect.getsource(AIOKafkaClient._md_synchronizer)
    assert cluster.log.name == missing_topics.LOGGER
    assert f'"{missing_topics.ABOUT_TOPICS}not found' in inspect.getsource(ClusterMetadata.update_metadata)


async def test_a_connection_says_why_it_was_closed() -> None:
    """`why_refused` reads the cause of the error, and who we said we are."""
    connection = AIOKafkaConnection("127.0.0.1", 1, sasl_plain_username="bob", sasl_mechanism="PLAIN")
    assert (connection._sasl_plain_username, connection._sasl_mechanism) == ("bob", "PLAIN")
    assert (connection._security_protocol, connection._ssl_context, connection._protocol) == ("PLAINTEXT", None, None)
    assert {"CONNECTION_BROKEN", "AUTH_FAILURE"} <= set(CloseReason.__members__)
    assert parameters(connections._connect) == ["self"]
    assert parameters(connections._send) == ["self", "request", "expect_response"]
    assert "error.__cause__ = exc" in inspect.getsource(AIOKafkaConnection.close)
    with pytest.raises(KafkaConnectionError, match="No connection"):
        connection.send(None)


async def test_a_client_can_be_asked_what_it_knows_and_what_it_has_to_ask() -> None:
    consumer = make_consumer(NOWHERE, client_id="t")
    for name in ("force_metadata_update", "get_random_node", "send"):
        assert callable(getattr(consumer._client, name))
    await consumers.close(consumer)


def test_a_request_for_a_topics_id_is_what_kafkas_protocol_guide_says() -> None:
    """Version 10: arrays and strings have their length and one more in front, and each struct ends in its tags."""
    request = incarnations.TopicMetadataRequest("t").prepare({3: (0, 13)})
    assert request.encode() == b"\x02" + bytes(16) + b"\x02t\x00" + b"\x00\x00\x00" + b"\x00"
    partition = (
        b"\x00\x00" + b"\x00\x00\x00\x01" + b"\x00\x00\x00\x05" + b"\x00\x00\x00\x07" + b"\x01\x01\x01" + b"\x00"
    )
    topic = b"\x00\x00" + b"\x02t" + bytes(range(16)) + b"\x00" + b"\x02" + partition + b"\x80\x00\x00\x00" + b"\x00"
    answer = (
        b"\x00\x00\x00\x00" + b"\x01" + b"\x00" + b"\x00\x00\x00\x00" + b"\x02" + topic + b"\x80\x00\x00\x00" + b"\x00"
    )
    decoded = incarnations.TopicMetadataResponse.decode(BytesIO(answer))
    assert decoded.topics[0][2] == bytes(range(16))
    assert decoded.topics[0][4][0][1:4] == (1, 5, 7)


async def test_brokers_that_are_too_old_tell_no_id() -> None:
    class Old:
        def get_random_node(self) -> int:
            return 0

        async def send(self, node: int, request: Any) -> Any:
            return request.prepare({3: (0, 9)})

    assert await incarnations.state_of(Old(), "t") == incarnations.UNKNOWN


def test_a_fetcher_sends_whole_requests_through_its_client() -> None:
    assert "self._client.send(node_id, request)" in inspect.getsource(Fetcher._proc_fetch_request)
    whole = fetch.FetchRequest(500, 1, 9000, 0, [("t", [(0, 5, 1000)])], rack_id="r")
    made = whole.build(fetch.FetchRequest_v11)
    assert (made.session_id, made.session_epoch, made.forgotten_topics_data) == (0, -1, [])
    assert made.topics == [("t", [(0, -1, 5, -1, 1000)])]
    assert vars(whole) == {
        "_max_wait_ms": 500, "_min_bytes": 1, "_max_bytes": 9000, "_isolation_level": 0,
        "_topics": [("t", [(0, 5, 1000)])], "_rack_id": "r",
    }  # fmt: skip
