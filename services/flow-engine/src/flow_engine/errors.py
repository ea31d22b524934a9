"""FlowEngineError
Undecodable          the record goes to the dead-letter topic, the partition goes on
StaleConversation    a row was not at the version that was read: two owners; rolled back, an alarm
StaleContact         another partition changed a contact meanwhile: rolled back, and the batch is made again
RedriveFailed        a held event failed again: everything stays held, and that event's row says why
UnknownVersion       a session stands on a flow version that is not here yet: the conversation is parked if it stays so
"""

from __future__ import annotations

from servicekit.loop.batches import Infrastructure


class FlowEngineError(Exception):
    """The root of this service's errors."""


class Undecodable(FlowEngineError):
    """No attempt will succeed. `code` is the word operators search and count by (contracts.dlq.ERROR_CODE)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class StaleConversation(FlowEngineError):
    """Some conversation changed between the read and the save, which a partition's one owner rules out."""


class StaleContact(FlowEngineError, Infrastructure):
    """A contact is not as it was when the batch was made: conversations of the person change it from other partitions.

    It is nobody's fault, so that no record is held for an operator however often it happens.
    """


class UnknownVersion(FlowEngineError):
    """A session stands on a flow version that the registry view does not have, and whose deletion it has not seen."""


class RedriveFailed(FlowEngineError):
    """A held event failed again. `conversation` is its conversation's id, `position` its place in the queue."""

    def __init__(self, conversation: str, position: int, sentence: str) -> None:
        super().__init__(sentence)
        self.conversation, self.position = conversation, position
