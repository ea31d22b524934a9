"""Small programs inside a document, each bounded in what it may cost. In: source text, then values. Out: a value or text.

Words: *template* (Liquid text with merge tags), *expression* (CEL: conditions and computed values), *pattern* (RE2),
*path* (JMESPath over an API's answer), *scope* (a root name that they read: user, memory, event …), *value* (a part of a
document that is worked out when a node runs), *place* (where a node writes to).
"""
