"""Every edge that the chart's NetworkPolicies allow is named here; nothing else is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import pytest

from helm.chart import documents, of_kind, pods, rendered
from servicekit.http_client.egress_policy import PORTS, allowed

pytestmark = pytest.mark.slow
SERVICES = ("ingress", "flow-engine", "dispatcher", "registry")
KEEP_ROWS = ("flow-engine", "dispatcher", "registry", "operations")

EVERYWHERE = {
    *(f"operations -> {service}:8080" for service in SERVICES),
    *(f"{one} -> dns:53" for one in (*SERVICES, "operations")),
    "dispatcher -> outside:80,443,8443",
}
EXTERNAL = {
    *(f"{one} -> 10.20.0.0/24:9092" for one in (*SERVICES, "operations")),
    *(f"{one} -> 10.20.1.0/24:5432" for one in KEEP_ROWS),
}
OPERATORS = {
    *(f"{one} -> kafka:9093" for one in (*SERVICES, "operations")),
    *(f"{one} -> postgres:5432" for one in KEEP_ROWS),
}
EDGES = {
    "minimal": EVERYWHERE | EXTERNAL,
    "keda": EVERYWHERE | EXTERNAL,
    "operators": EVERYWHERE | OPERATORS,
    "everything": {
        *EVERYWHERE,
        *OPERATORS,
        *(f"gateway -> {service}:8080" for service in SERVICES),
        *(f"prometheus -> {service}:8080" for service in SERVICES),
        *(f"{service} -> collector:4318" for service in SERVICES),
        "dispatcher -> 10.30.0.0/16:any",
    },
}
PEERS = {
    "gateways": "gateway",
    "prometheus": "prometheus",
    "collector": "collector",
    "kube-dns": "dns",
    "switchhook-kafka": "kafka",
    "switchhook-postgres": "postgres",
    "operations": "operations",
}
"""A word in a peer's labels -> who it is."""


def policies(values: str) -> dict[str, Any]:
    return of_kind(documents(rendered(values)), "NetworkPolicy")


def edges(values: str) -> Iterator[str]:
    for name, policy in policies(values).items():
        if name == "deny":
            continue
        here = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for rule in policy["spec"].get("ingress", ()):
            yield from (f"{peer} -> {here}:{ports(rule)}" for one in rule["from"] for peer in who(one))
        for rule in policy["spec"]["egress"]:
            yield from (f"{here} -> {peer}:{ports(rule)}" for one in rule["to"] for peer in who(one))


def ports(rule: dict[str, Any]) -> str:
    return ",".join(dict.fromkeys(str(each["port"]) for each in rule.get("ports", ()))) or "any"


def who(peer: dict[str, Any]) -> Iterator[str]:
    if block := peer.get("ipBlock"):
        yield "outside" if block.get("except") else block["cidr"]
        return
    expressions = peer.get("podSelector", {}).get("matchExpressions", ())
    if expressions:
        yield from (value for each in expressions for value in each["values"])
        return
    text = json.dumps(peer)
    (found,) = [name for word, name in PEERS.items() if f'"{word}"' in text]
    yield found


@pytest.mark.parametrize("values", sorted(EDGES))
def test_these_edges_are_allowed_and_no_others(values: str) -> None:
    assert set(edges(values)) == EDGES[values]


def test_each_pod_is_under_the_policy_that_denies_and_under_its_own() -> None:
    found = documents(rendered("everything"))
    (chosen,) = of_kind(found, "NetworkPolicy")["deny"]["spec"]["podSelector"]["matchExpressions"]
    for name, pod in pods(found):
        labels = pod["metadata"]["labels"].items()
        over = [
            policy
            for policy in of_kind(found, "NetworkPolicy").values()
            if policy["spec"]["podSelector"]["matchLabels"].items() <= labels
        ]
        assert len([policy for policy in over if policy["metadata"]["name"] == "switchhook-deny"]) == 1, name
        assert len(over) == 2, name
        assert pod["metadata"]["labels"][chosen["key"]] in chosen["values"]
        assert all(policy["spec"]["policyTypes"] == ["Ingress", "Egress"] for policy in over)


def test_a_namespace_that_denies_everything_lets_setup_work() -> None:
    setup = policies("minimal")["setup"]
    assert setup["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert setup["spec"] == policies("minimal")["operations"]["spec"]


def test_the_outside_is_what_the_dispatcher_itself_takes_for_it() -> None:
    rules = policies("minimal")["dispatcher"]["spec"]["egress"]
    (outside,) = [rule for rule in rules if any("except" in peer.get("ipBlock", {}) for peer in rule["to"])]
    assert {each["port"] for each in outside["ports"]} == PORTS
    blocks = [peer["ipBlock"] for peer in outside["to"]]
    special = [ip_network(each) for block in blocks for each in block["except"]]
    for network in special:
        for address in (network.network_address, network.broadcast_address):
            assert through(blocks, str(address)) == allowed(str(address)), address
        for address in beside(network):
            assert through(blocks, address) == allowed(address), address


def beside(network: IPv4Network | IPv6Network) -> Iterator[str]:
    """The addresses right before and right after a network, where there are some."""
    first, last = network.network_address, network.broadcast_address
    if int(first):
        yield str(first - 1)
    if int(last) + 1 < 2**network.max_prefixlen:
        yield str(last + 1)


def through(blocks: list[dict[str, Any]], address: str) -> bool:
    found = ip_address(address)
    return any(
        found in ip_network(block["cidr"]) and not any(found in ip_network(each) for each in block["except"])
        for block in blocks
    )


def test_strimzi_lets_the_release_integrators_and_keda_in() -> None:
    kafka = of_kind(documents(rendered("everything")), "Kafka")["kafka"]
    (listener,) = kafka["spec"]["kafka"]["listeners"]
    assert listener["authentication"] == {"type": "scram-sha-512"}
    assert [sorted(peer) for peer in listener["networkPolicyPeers"]] == [
        ["podSelector"],
        ["podSelector"],
        ["namespaceSelector"],
    ]


def test_without_policies_there_are_none() -> None:
    assert policies("ingress") == {}
