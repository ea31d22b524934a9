"""The node types, one module each. In: a node as it stands in a document. Out: a step, which runs when a session comes to it.

Words: *node* (a part of a document, with a `type`), *step* (a node that runs), *port* (a named way out of a node),
*outcome* (where a step leads: by a port, to a node, to a rest, to the end).
"""
