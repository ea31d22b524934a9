"""The registry in a service's memory, and whether it is the whole of it and the right one.

Enters: the registry's topic, from its start. Leaves: look-ups by id and by index, changes to who listens, the sentence why
it cannot be relied upon. Words: *view*, *index*, *snapshot* (the marker that says how much there is), *whole*, *stack id*
(which installation's registry it is).
"""
