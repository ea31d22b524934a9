"""The registry in a service's memory. Enters: the registry's topic. Leaves: look-ups, and what changed.

`view` is what services ask; `stamps` tells how far a record's writer had read; `index` holds the entities and forgets the deleted ones.

Words: *view* (all that the topic holds), *whole* (a snapshot was seen and all that it counts is there), *index* (another
field than the id to find entities by), *stack id* (which installation's registry it is).
"""
