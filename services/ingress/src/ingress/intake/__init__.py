"""The way into Kafka that all doors share, and the limits before it.

In come records and events that were checked; out go acknowledgements, answers of the engine (a *question* is one to come),
429 for who calls too often, and notes for a trigger's request log.
"""
