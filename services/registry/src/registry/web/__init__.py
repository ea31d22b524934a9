"""HTTP of the registry, and the pages that document the API of all services.

In come requests; out go answers of the handlers that are filed under the rows of the route table. `crud` has the five that
every kind has, `actions` the others.
"""
