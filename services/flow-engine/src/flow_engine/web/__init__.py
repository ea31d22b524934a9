"""The engine's HTTP: what became of an event. Enters: requests with a token. Leaves: what the event log says."""
