import errno
import io
import logging

import orjson
import pytest
import structlog

from servicekit.credentials.tokens import generate_token
from support.logs import configured


@pytest.fixture
def lines():
    with configured("ingress") as stream:
        yield lambda: [orjson.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_object_with_service_level_and_time(lines):
    structlog.get_logger().info("event.accepted", event_id="e1", status=202)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "event.accepted", "service": "ingress", "level": "info", "event_id": "e1", "status": 202}


def test_bound_ids_are_on_every_line(lines):
    with structlog.contextvars.bound_contextvars(conversation="b/c/p"):
        structlog.get_logger().info("one")
    structlog.get_logger().info("two")
    assert [line.get("conversation") for line in lines()] == ["b/c/p", None]


def test_lines_below_the_level_are_not_made(lines):
    structlog.get_logger().debug("detail")
    logging.getLogger("library").debug("detail")
    assert lines() == []


def test_libraries_speak_the_same_way(lines):
    logging.getLogger("library").warning("lost %s", "it")
    (line,) = lines()
    assert (line["event"], line["level"], line["logger"], line["service"]) == (
        "lost it",
        "warning",
        "library",
        "ingress",
    )


def test_chatty_libraries_are_heard_from_warning_on(lines):
    logging.getLogger("aiokafka").info("joined")
    logging.getLogger("aiokafka").warning("left")
    assert [line["event"] for line in lines()] == ["left"]


def test_a_traceback_shows_no_locals_and_no_credentials(lines):
    token = generate_token().text

    def fail():
        hidden_local = "hunter2"
        raise ValueError(f"bad token {token} {len(hidden_local)}")

    try:
        fail()
    except ValueError:
        structlog.get_logger().exception("request.failed")
        logging.getLogger("library").exception("also")
    for line in lines():
        assert "ValueError: bad token swh_[hidden]" in line["exception"]
        assert "'hunter2'" not in line["exception"].replace('hidden_local = "hunter2"', "")


def test_values_that_are_not_json_are_shown_by_their_repr(lines):
    structlog.get_logger().info("odd", value={1, 2}, error=OSError("gone"))
    (line,) = lines()
    assert (line["value"], line["error"]) == ("{1, 2}", "OSError('gone')")


class FullDisk(io.BytesIO):
    """Where the output goes to a file on a disk that is full."""

    full = True

    def write(self, line):
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(line)

    def flush(self):
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else():
    disk = FullDisk()
    with configured("ingress", stream=disk):
        structlog.get_logger().error("one")
        logging.getLogger("library").error("two")
        disk.full = False
        structlog.get_logger().error("three")
    assert [orjson.loads(line)["event"] for line in disk.getvalue().splitlines()] == ["three"]
