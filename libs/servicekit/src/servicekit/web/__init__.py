"""HTTP in. Enters: requests. Leaves: answers, refusals as problems, and whether this process is well.

Words: *caller* (who sent a request, and what they may do), *scope* (one right of a token), *problem* (a refusal, RFC 9457),
*health* (liveness and readiness, nothing else), *route* (a row of contracts.routes with its handler).
"""
