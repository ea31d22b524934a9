"""Copies of events in the topics of projects that have their own. Enter: what was applied of `switchhook.events.v1`, and what is
still to be read of it again. Leaves: the same records in `switchhook.project.<slug>.events.v1`, at least once, in order.

A table says of each project and partition how far it is copied and how far it has to be; the events wait in their own log, so
a project whose topic cannot be written to costs a row and holds up nobody.
"""
