"""What every service is made of, from the process down to a Kafka connection.

`process` runs a service; `loop` applies a topic's records to Postgres, `registry_view` holds the registry in memory;
`checkpoints` and `database` are their SQL; `web` and `http_client` are HTTP in and out; `credentials`, `settings`,
`failpoints`, `kafka` and `observability` stand below. Arrows go down that list only (import-linter, pyproject.toml).
"""
