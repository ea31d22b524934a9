"""A flow without its servers: the interpreter of the engine, a clock that stands until it is told to go, and answers that are
given. Pure but for code nodes, which whoever drives a simulation runs.

Words: a *step* is what a script says; it makes one *turn* or several: its own, and those of what is due then. A *case* is a
script with what is expected of it. What comes out is JSON, and shows of an effect or a state what is not at its default, so that
what was recorded once stays comparable.
"""
