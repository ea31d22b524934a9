"""What other programs want done, from `switchhook.commands.v1` and /v1/signals.

In come commands; out go the inbound records that do them (a *plan*), and the events `command.accepted` and
`command.rejected`. The *bridge* is the consumer that takes them from one topic to the other.
"""
