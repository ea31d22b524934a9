"""What turns know of the registry: flows, bots, channels, API calls, and how URLs are signed.

Enters: the registry view, which changes as the registry publishes. Leaves: the `Surroundings` of a conversation.

Words: the *catalogue* is the port that turns ask; *surroundings* are the flows, tools, bot and channel of one
conversation, made once and kept until one of them changes.
"""
