"""CEL (Common Expression Language), read and run here, each step counted. In: source, then values. Out: a value.

Words: *token*, *node* (of the tree that the source is), *step* (a node made ready to run), *macro* (all, exists, map …:
a loop over a list), *missing* (a name or key that is not there, which is no error to the flow).
"""
