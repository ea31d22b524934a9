"""The flow language: what a bot's author writes, and what one event does to one conversation. Pure: no I/O, no clock.

A document goes in at `language` (read, checked, compiled to a `graph`); a graph, a conversation and an event go in at
`running` (`interpreter.step`), and a turn with its effects comes out. `nodes` and `triggers` hold one module for each
type that a document may name. Beneath them: `building` (a document's parts, made ready to run), `expressions` (merge
tags, conditions, patterns), and the plain data of `model`.
"""
