"""A package with a node type that does not end."""
