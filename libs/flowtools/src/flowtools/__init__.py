"""What who writes flows has on a machine without servers: check, test cases, simulation; and the sandbox of code nodes, which
the engine runs, too."""
