"""Tasks that run where they can be ended: in worker processes with limits of CPU time, wall time and memory.

Enters: a task, anything that pickles, and the project that it is done for. Leaves: what the task came to, or how its
worker ended.

Words: the *target* is the function, named `module:function`, that makes what does tasks; the *forker* is a process that
has imported it and forks workers in a few milliseconds; *progress* counts what a task has begun, as it tells itself;
an *allowance* is what a project may spend on long tasks.
"""
