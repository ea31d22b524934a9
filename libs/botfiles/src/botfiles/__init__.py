"""A project's bots, flows, triggers, API calls, endpoints and segments as a folder of files: compared, applied, exported."""
