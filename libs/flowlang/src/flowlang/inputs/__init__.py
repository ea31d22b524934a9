"""The kinds of answers that an `ask` takes, one module each. In: what a person sent. Out: the value that is kept, or why it is none.

Words: *input* (what the document says of an answer), *reader* (what understands one), *named answer* (one that an author
can lead to a node of its own, such as an option).

A reader is pure and bounded: what it reads is short before it looks closely, and "today" is the day of the event.
"""
