"""How a run goes, apart from what is tested: which worker gets which tests, how long one may take, where the time went.

In: pytest's items and reports. Out: an order, failures of tests that are too slow or lose a task, and two tables
before the summary.
Words: a *worker* is one of the processes that share a run's tests (pytest-xdist); a *share* is what one of them gets at
once, a file as a rule; a test's *own time* is that of its setup and call, without what it sets up for others, too.
"""
