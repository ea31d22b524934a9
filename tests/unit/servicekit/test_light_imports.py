import subprocess
import sys

import pytest

HOT = (
    "credentials.links credentials.sealing credentials.tokens database http_client.egress_policy"
    " http_client.guarded_http observability.logging observability.metrics observability.telemetry settings web.auth"
    " web.health web.pagination web.problems web.requests web.server"
)
HEAVY = ("sqlalchemy", "alembic", "fastapi", "opentelemetry", "requests", "google.protobuf")


@pytest.mark.parametrize("heavy", HEAVY)
def test_what_every_service_loads_does_not_load(heavy):
    """A service stays below 150 MB: migrations, FastAPI and the tracing SDK are loaded by those who need them."""
    imports = "\n".join(f"import servicekit.{module}" for module in HOT.split())
    code = f"import sys\n{imports}\nsys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
