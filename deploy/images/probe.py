"""Whether the service in this container lives: exit code 0 when /health/live is answered with 200. Standard library only."""

import http.client
import os
import sys

connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("SWITCHHOOK_PORT", "8080")), timeout=4)
try:
    connection.request("GET", "/health/live")
    sys.exit(connection.getresponse().status != 200)
except OSError:
    sys.exit(1)
