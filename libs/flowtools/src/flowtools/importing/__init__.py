"""Flows of other builders made into flow documents: what is found in an export goes in, a document and a report of what could
not be taken over come out. `importer` has a row per builder; what a builder's export holds is read by the modules that begin with its name,
which know of no other's. For all of them `exports` reads JSON, `texts` turns tags into merge tags, and `draft` makes ids, places, ways and
the report.

Nothing of an export is executed. Scripts and expressions are not copied either: the report names them.
"""
