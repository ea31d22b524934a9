"""The engine's HTTP: what became of an event, and what is held. Enters: requests with a token. Leaves: what the event
log says, and an operator's redrives.
"""
