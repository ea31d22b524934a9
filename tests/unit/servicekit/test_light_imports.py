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


SERVICES = ("ingress", "dispatcher", "flow_engine", "registry")
"""In this order, since of them only the registry has FastAPI."""
NOT_FOR_SERVICES = ("rich", "pygments", "typer", "sqlalchemy", "alembic", "faststream", "pytest", "fastapi")


def test_services_load_nothing_of_migrations_commands_and_terminals() -> None:
    """As their processes start: what they do not use would be a tenth of their start."""
    code = f"""
import gc, sys
from importlib import import_module
from servicekit.importing import importing
with importing():
    for service in {SERVICES}:
        import_module("servicekit.process")
        import_module(service + ".main")
        print(service, *(sys.modules.keys() & set({NOT_FOR_SERVICES}) - {{"rich"}}), sys.modules["rich"])
print("rich" in sys.modules, gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [
        "ingress None",
        "dispatcher None",
        "flow_engine None",
        "registry fastapi None",
        "False True True",
    ]
