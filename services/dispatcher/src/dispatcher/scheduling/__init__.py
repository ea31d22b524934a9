"""Which delivery may start now. Enters: leased deliveries, and what attempts said of their destinations. Leaves: attempts that
are started, deliveries that are given back to PostgreSQL because they have to wait.

What makes a destination wait stands in `destination` (its bound, its rate, and a pause) and `breaker` (its circuit); pauses
are asked for in `sending` and written by `results.failing_destinations`.

Words: *destination* (what shares these), *claim* (leasing what is due, one queue at a time), *circuit* and *probe*,
*holdings* (the partitions whose lanes are this process's), *pulse* (notices that the process stood still),
*replicas* (share limits and pauses).
"""
