"""The dispatcher: actions and events in, HTTP requests out, each with its attempts, its retries and a log.

Rooms, each knowing only those after it: `web` (the log over HTTP) and `intake` (records become leased rows) · `scheduling`
(which delivery may start now) · `kinds` (one module for each sort of delivery) · `sending` (a delivery becomes a request) ·
`results` (what came of it, and who hears of that) · `store` (all SQL) · `model` (the words of this service, as values).
"""
