"""What node types and trigger kinds use to become ready to run. In: a part of a document. Out: its running form.

Words: *compiler* (builds the parts of one document and notes what is wrong and what is read and written),
*known names* (what of the bot a document may refer to).
"""
