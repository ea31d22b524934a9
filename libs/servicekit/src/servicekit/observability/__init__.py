"""Logs, metrics and traces.

Enters: events with names, measured values, a caller's `traceparent`. Leaves: JSON lines without credentials on standard
output, /metrics, spans of sampled traces. Words: every metric's name and meaning (`metrics.MEANINGS`), *scrub* (take
credentials out of a line).
"""
