"""Logs, metrics and traces. Enters: what happened. Leaves: lines, counts and spans, without credentials or people's words."""
