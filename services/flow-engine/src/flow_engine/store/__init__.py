"""What is kept of conversations: the port, and PostgreSQL behind it. All SQL of the service is here.

Enters: keys, names and ids to look up, and a batch's `Work` to save inside the partition loop's transaction. Leaves:
loaded conversations with their contacts, outcomes of earlier events, timers that are due.

Words: a conversation is *held* when one of its events failed unexpectedly, and so are the events that wait behind that
one; the *chat log* has what was said, the *event log* what became of each event that somebody may ask about.
"""
