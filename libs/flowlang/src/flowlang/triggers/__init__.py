"""How a conversation enters a flow. In: a trigger as it stands in a document. Out: its running form, which takes events.

Words: *trigger* (one way into one flow), *trigger kind* (command, keyword, webhook …).
"""
