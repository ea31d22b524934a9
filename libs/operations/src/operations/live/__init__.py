"""What every replica is doing now, computed from what its /metrics says at two moments (docs/reference/metrics.md).

`samples` reads the text, `rows` computes rates and levels from two samples and does no I/O, `screen` draws them as tables or
lines, `asking` asks all replicas at once.
"""
