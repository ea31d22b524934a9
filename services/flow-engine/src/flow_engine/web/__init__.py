"""The engine's HTTP: contacts, chat logs, what became of an event, what is held. Enters: requests with a token. Leaves: what is
kept, and an operator's redrives.
"""
