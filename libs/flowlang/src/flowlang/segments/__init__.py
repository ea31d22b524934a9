"""Segments: filters over contacts, in CEL. Enters: a filter's source, then contacts. Leaves: whether it is true of one.

Words: a *filter* is the program of a segment, a *field* what it may ask of a contact, a *member* a contact of whom it is true.
A filter that fails over a contact (a field that is not there, a type that does not fit) is not true of that contact.
"""
