"""The log of deliveries over HTTP: list, show, replay. Enters: requests with a token. Leaves: what the store has, in JSON."""
