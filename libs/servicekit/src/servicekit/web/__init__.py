"""HTTP into a service: the server, who calls, what a request may be, how a refusal looks, health.

Enters: ASGI requests. Leaves: a judged caller, a bounded body, problem documents, readiness and metrics. Words: *caller*,
*scope*, *problem* (an error document), *readiness* and *liveness* (health: of this process, and of nothing else).
"""
