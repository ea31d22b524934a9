"""One event applied to one conversation. In: the bot's flows, a conversation, its contact, an event. Out: a `Turn`.

`run` has what a turn does, the bot's messages included (`Run.say`); `messages` takes in the person's.

Words: *run* (a turn while it is made), *session* (from a flow's entry to its end), *wait* (where a session rests and what
may wake it), *entry* (a way into a flow: a graph and one of its triggers).
"""
