"""All SQL of the registry, one file a table, and the pool of connections.

In come entities, drafts, publications; out come rows as named tuples or `Stored` entities.
"""
