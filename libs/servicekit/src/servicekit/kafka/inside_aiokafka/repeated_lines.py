"""What aiokafka writes at each attempt while a broker is away, which is several times a second for each client.

That one is away, and that it is reached again, says servicekit.outages, once.
"""

from __future__ import annotations

import logging

from servicekit.observability.repeats import OncePerMinute

REPEATED = {
    "aiokafka": ("Unable connect to", "Unable to update metadata"),
    "aiokafka.consumer.fetcher": ("Failed fetch messages",),
    "aiokafka.consumer.group_coordinator": ("Group Coordinator Request failed",),
    "aiokafka.producer.sender": ("Got error produce response",),
}
"""Logger -> how the lines begin."""


def install() -> None:
    """Let them through once a minute each."""
    for logger, beginnings in REPEATED.items():
        logging.getLogger(logger).addFilter(OncePerMinute(*beginnings))
