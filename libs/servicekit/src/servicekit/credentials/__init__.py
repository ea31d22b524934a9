"""Secrets: how tokens are made and known again, how values are sealed at rest, how links are signed.

Enters: the key-encryption keys and the link key, plain values. Leaves: sealed values, tokens and their digests, signed
texts and what they say. No I/O. Words: *seal* and *open* (encryption under a data key of its own), *digest* (what is stored
of a token), *link key* (the one secret that all signatures follow from).
"""
