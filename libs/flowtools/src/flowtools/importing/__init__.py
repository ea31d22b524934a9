"""Flows of other builders made into flow documents: what is found in an export goes in, a document and a report of what could
not be taken over come out. One file per builder, each a table of what becomes of its blocks; what they share is in `draft`.

Nothing of an export is executed. Scripts and expressions are not copied either: the report names them.
"""
