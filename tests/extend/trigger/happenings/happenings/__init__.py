"""Somebody else's package: it brings a trigger kind."""
