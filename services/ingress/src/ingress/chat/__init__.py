"""Chats of our own: the web chat of somebody's page and the Bot API.

In comes what a person or a program says, and who wants to hear the bot; out go inbound records, and the bot's messages, waited
for or as a stream. Words: a *session* is what its token opens; a *spot* is a conversation with what an attach record says of
it; an instance *attaches* to a conversation to get copies of its messages, which it keeps in a *feed*.
"""
