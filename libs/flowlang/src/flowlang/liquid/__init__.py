"""Liquid: python-liquid reads a template, and this runs it, each step counted. In: source, then values. Out: text.

Words: *markup* (`{{ … }}` or `{% … %}`), *node* and *expression* (parts of the tree that python-liquid makes), *rendering*
(one run of a template), *filter*.
"""
