"""An installation as somebody outside of it has it: the gateway, the operator's token, and Kafka for programs."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from devstack.stack import Stack


@dataclass(frozen=True, slots=True)
class Reached:
    """`kafka`: a login as librdkafka's settings have it. `named`: the name on that Kafka of a topic of contracts. `tls`: what
    the gateway's certificate is checked with, True for what this machine trusts."""

    base_url: str
    admin_token: str
    kafka: Mapping[str, str]
    named: Callable[[str], str]
    tls: ssl.SSLContext | bool = True


def reached(stack: Stack) -> Reached:
    """A stack on this machine."""
    kafka = {"bootstrap.servers": stack.bootstrap_servers}
    return Reached(stack.base_url, stack.secrets.admin_token, kafka, stack.cluster.named)
