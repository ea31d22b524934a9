"""`POST /v1/simulate`: a script on a draft or a published flow, in a process that can be ended; nothing of it is kept or sent."""
