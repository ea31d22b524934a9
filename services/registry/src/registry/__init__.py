"""registry: projects and what belongs to them, saved in PostgreSQL and told to every service on a compacted topic."""
