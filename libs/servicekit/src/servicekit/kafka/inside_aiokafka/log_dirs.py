"""How much room a broker's disks have: aiokafka has no request for it."""

from __future__ import annotations

from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Int64, Schema, TaggedFields


class LogDir(NamedTuple):
    """A folder in which a broker keeps logs: what they take, and the size and the free room of its disk, bytes."""

    broker: int
    path: str
    used: int
    total: int
    free: int


class DescribeLogDirsResponse_v4(Response):  # type: ignore[misc]  # noqa: N801 - as aiokafka names them
    """Of KIP-827: the first one with the disk's size."""

    API_KEY = 35
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "results",
            CompactArray(
                ("error_code", Int16),
                ("log_dir", CompactString("utf-8")),
                (
                    "topics",
                    CompactArray(
                        ("name", CompactString("utf-8")),
                        (
                            "partitions",
                            CompactArray(
                                ("partition_index", Int32),
                                ("partition_size", Int64),
                                ("offset_lag", Int64),
                                ("is_future_key", Boolean),
                                ("tags", TaggedFields),
                            ),
                        ),
                        ("tags", TaggedFields),
                    ),
                ),
                ("total_bytes", Int64),
                ("usable_bytes", Int64),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeLogDirsRequest_v4(RequestStruct):  # type: ignore[misc]  # noqa: N801
    """Of all topics."""

    FLEXIBLE_VERSION = True
    API_KEY = 35
    API_VERSION = 4
    RESPONSE_TYPE = DescribeLogDirsResponse_v4
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("topic", CompactString("utf-8")), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)
            ),
        ),
        ("tags", TaggedFields),
    )


class DescribeLogDirsRequest(Request[DescribeLogDirsRequest_v4]):  # type: ignore[misc]
    """Asks one broker."""

    API_KEY = 35

    def build(self, request_struct_class: type[DescribeLogDirsRequest_v4]) -> DescribeLogDirsRequest_v4:
        return request_struct_class(None, {})


async def log_dirs(admin: AIOKafkaAdminClient) -> list[LogDir]:
    """Of all brokers. Raises KafkaError; NotImplementedError of brokers before 3.3, which do not tell."""
    found: list[LogDir] = []
    for broker in (await admin.describe_cluster())["brokers"]:
        answer = await admin._send_request_to_node(broker["node_id"], DescribeLogDirsRequest())
        if answer.error_code:
            raise for_code(answer.error_code)("DescribeLogDirs")
        for code, path, topics, total, free, _ in answer.results:
            if code:
                raise for_code(code)(path)
            used = sum(part[1] for _, parts, _ in topics for part in parts)
            found.append(LogDir(broker["node_id"], path, used, total, free))
    return found
