"""Somebody else's package: it brings a node type."""
