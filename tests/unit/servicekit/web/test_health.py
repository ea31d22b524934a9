import pytest
from starlette.responses import PlainTextResponse

from servicekit.observability.metrics import counter
from servicekit.web.health import Health


@pytest.fixture
def make(client_of):
    return lambda health: client_of(health.wrap(PlainTextResponse("the app")))


async def test_alive_while_it_answers(make):
    assert (await make(Health({"kafka": lambda: "is away"})).get("/health/live")).status_code == 200


async def test_ready_when_nothing_speaks_against_it(make):
    response = await make(Health({"kafka": lambda: None})).get("/health/ready")
    assert (response.status_code, response.json()) == (200, {"ready": True, "reasons": {}})


async def test_not_ready_with_the_reasons(make):
    response = await make(Health({"kafka": lambda: "is away", "view": lambda: None})).get("/health/ready")
    assert (response.status_code, response.json()["reasons"]) == (503, {"kafka": "is away"})


async def test_a_stopping_process_is_not_ready(make):
    health = Health()
    health.stop()
    await health.until_stopping()
    assert (await make(health).get("/health/ready")).status_code == 503


async def test_metrics_are_prometheus_text(make):
    counter("switchhook_timers_fired_total").inc()
    response = await make(Health()).get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "switchhook_timers_fired_total" in response.text


async def test_everything_else_is_the_applications(make):
    client = make(Health())
    assert (await client.get("/v1/metrics")).text == (await client.get("/health/other")).text == "the app"


@pytest.mark.parametrize("path", ["/%6detrics", "/%2e/metrics", "/health%2flive", "/healt%68/ready"])
async def test_what_is_written_otherwise_is_not_answered_by_it(make, path):
    """A gateway that does not decode what it routes by passes it on."""
    assert (await make(Health()).get(path)).text == "the app"
