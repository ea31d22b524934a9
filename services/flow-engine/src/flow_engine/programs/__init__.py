"""Runs what users wrote: the interpreter's steps of a turn, and code nodes.

Enters: a conversation with its surroundings, its contact and a happening. Leaves: a finished `Turn`, or why there is none:
it failed, or it is *deferred*, since it takes longer than a batch waits.

Words: a step is made *here*, in the engine's process, while all that it comes to is cheap by its form; at the first thing
that is not, it is given up and made again in a *worker*, a process that can be ended (servicekit.workers). A *refusal*
says from which part of a step on nothing begins any more, and why.
"""
