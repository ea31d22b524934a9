"""What every service needs to run. Each room and module knows only those after it (import-linter, pyproject.toml).

`process` (the life of a service's process) · `loop` (a topic applied batch by batch behind a fence) and `registry_view` (the
registry in memory) · `checkpoints` (the loop's tables) · `database` (the pool) · `web` (HTTP in) and `http_client` (HTTP out) ·
`credentials` (tokens, sealing, signed links) · `settings` · `kafka` (clients, records, publishing, waiting for replies) and
`failpoints` · `observability` (logs, metrics, traces) · `columns` (rows as arrays), `memory`, `migrate`, `misconfigured`,
`revisions`, `storable`.
"""
