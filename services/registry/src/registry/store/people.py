"""Which tables of the registry may hold what is known of people, and how a person is erased from them.

It keeps configuration; of people it has what callers of triggers sent. A test fails for a table that is not in STORES.
"""

STORES = {
    "trigger_request": "requests that became events of the person go (postgres_trigger_requests.erase), the others after 8 days",
    "entity": "configuration: nobody whom a bot talks to",
    "flow_draft": "configuration",
    "publication": "configuration on its way to Kafka",
    "idempotency": "answers about configuration",
    "outbox": "dead letters on their way to Kafka, for milliseconds while Kafka is there",
}
"""Table of this service that may know people -> how they are erased. A new one: add its statement, and its line here."""
