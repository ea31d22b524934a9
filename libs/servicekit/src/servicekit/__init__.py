"""What every service needs to run. Each room knows only those after it, beside the small modules at this root.

`loop` (a topic applied batch by batch behind a fence) · `registry_view` (the registry in memory) · `kafka` (clients, records,
publishing, waiting for replies) · `checkpoints` (the loop's tables) · `web` (HTTP in) · `http_client` (HTTP out) · `credentials`
(tokens, sealing, signed links) · `observability` (logs, metrics, traces).
"""
