"""ingress: what comes from outside becomes a record on Kafka, and its caller gets an answer.

Rooms, each knowing only those after it: `web` (from a path to a door's handler) · `chat` (web chat and the Bot API) · `doors`
(triggers, generated URLs, platforms, signals) · `commands` (what other programs want, from Kafka and HTTP) · `lookup` (what
the registry's view knows) · `intake` (the way into Kafka, and the limits before it) · `wire` (requests and answers).
"""
