"""What the services have in common: topics and their records, registry entities, event types and routes. No I/O.

A service imports this and never another service. One module per topic holds the topic and the models of its records.
"""
