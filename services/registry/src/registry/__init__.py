"""registry: projects and what belongs to them, saved in PostgreSQL and told to every service on a compacted topic.

Rooms, each knowing only those after it: `web` (HTTP) · `kafka` (what comes from and goes to other services) · `publishing`
(the topic comes to say what the tables say) · `resources` (the rules of each kind of entity) · `values` (what fields hold,
and how it is checked) · `writing` (one write, from its
start to its answer) · `store` (all SQL).
"""
