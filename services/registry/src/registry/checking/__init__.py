"""Users' documents and programs are read and checked in worker processes, not beside everybody's requests.

Enters: a document, a filter or a template as it was sent. Leaves: what it says, what is wrong with it, or a problem that
names the limit which the check passed.

Words: a *check* is one such task; a *turn* is what a request waits for before it may have checks made, without a
connection to the database in its hand.
"""
