"""Access control lists over the admin client: aiokafka has the requests and no method that sends them."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

RESOURCES = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
"""Kafka's numbers of kinds of resources (org.apache.kafka.common.resource.ResourceType)."""
OPERATIONS = {
    "Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Alter": 7, "Describe": 8, "DescribeConfigs": 10, "AlterConfigs": 11,
}  # fmt: skip
"""Of org.apache.kafka.common.acl.AclOperation."""
LITERAL, PREFIXED = 3, 4
ALLOW = 3


async def allow(
    admin: AIOKafkaAdminClient, principal: str, resource: str, name: str, operation: str, *, begins: bool = False
) -> None:
    """Let a principal (`User:ingress`) do one thing from any host; it may have been allowed before. Raises KafkaError.

    `begins`: for all names that begin with `name`.
    """
    request = CreateAclsRequest(
        RESOURCES[resource], name, PREFIXED if begins else LITERAL, principal, "*", OPERATIONS[operation], ALLOW
    )
    response = await admin._send_to_controller(request)
    for code, message in response.creation_responses:
        if code:
            raise for_code(code)(message or name)
