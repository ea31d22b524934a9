import subprocess
import sys

import pytest

HOT = (
    "credentials.links credentials.sealing credentials.tokens database http_client.egress_policy"
    " http_client.guarded_http observability.logging observability.metrics observability.telemetry settings web.auth"
    " web.health web.pagination web.problems web.requests web.server"
)
HEAVY = ("sqlalchemy", "alembic", "fastapi", "opentelemetry", "requests", "google.protobuf")


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that a process has which loads what every service does."""
    imports = "\n".join(f"import servicekit.{module}" for module in HOT.split())
    code = f"import sys\n{imports}\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("heavy", HEAVY)
def test_what_every_service_loads_does_not_load(heavy: str, loaded: set[str]) -> None:
    """A service stays below 150 MB: migrations, FastAPI and the tracing SDK are loaded by those who need them."""
    assert "servicekit.web.server" in loaded
    assert heavy not in loaded
