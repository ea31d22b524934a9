"""Where bots talk: one package per type of channel behind one port (docs/how-to/extend/channel.md).

In comes what a platform said (a call's raw body and headers, an answer's status and body) or what it is to be told (a
message, a tap, a check); out go values: events, requests, meanings. Nothing here does I/O or reads a clock.

Words: a *connector* is all that is known of one type of channel: its *descriptor* (facts) and its *platform* (what is
said, and what is meant). A type without a platform is *in-house*: ingress and the engine speak to the person themselves.
A *plan* is the ordered requests of one message; a *reading* is what an answer means.
"""
