"""What holds for every door."""

import orjson
import pytest
from prometheus_client import REGISTRY

from ingress.doors.runs import Runs
from support.logs import configured


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/", "/v2/run/trigger-1", "/run/trigger-1", "/v1/nothing", "/v1/dlq", "/v1/held/x", "//v1/run/x"],
)
async def test_what_is_no_door_is_404(rig, path):
    answer = await rig.call("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["/v1/run", "/v1/run/a/b", "/v1/w/a/b", "/v1/web/a", "/v1/talk/b/sessions/s/x", "/v1/signals/x"]
)
async def test_a_longer_or_shorter_path_is_404(rig, path):
    assert (await rig.call("POST", path, json={})).status == 404


async def test_a_request_needs_exactly_one_host(rig):
    answer = await rig.call("POST", "/v1/run/trigger-1", headers={"host": "a", "Host": "b"})
    assert answer.status == 400


async def test_a_bug_is_500_and_tells_nothing(rig, monkeypatch):
    monkeypatch.setattr(rig.view, "get", lambda *_: 1 / 0)
    answer = await rig.call("POST", "/v1/run/trigger-1", json={})
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (500, "internal")
    assert "division" not in answer.body.decode()


@pytest.mark.parametrize("inside", [True, False], ids=["in its span", "before its span"])
async def test_a_bug_is_logged_with_the_trace_of_the_request(rig, monkeypatch, inside):
    failing = (Runs, "_start") if inside else (Runs, "_admit")
    monkeypatch.setattr(*failing, lambda *_: 1 / 0)
    trace = "0af7651916cd43dd8448eb211c80319c"
    headers = {"authorization": f"Bearer {rig.token}"}
    with configured("ingress") as stream:
        for traceparent in ({"traceparent": f"00-{trace}-b7ad6b7169203331-00"}, {}):
            body = {"peer_id": "1", "variables": {"order_id": "A-1"}}
            assert (await rig.call("POST", "/v1/run/trigger-1", json=body, headers=headers | traceparent)).status == 500
        found = [orjson.loads(line).get("trace_id") for line in stream.getvalue().splitlines()]
    assert found[0] == trace
    assert (found[1] is not None) == inside
    assert found[1] != trace


async def test_a_query_parameter_that_a_route_does_not_have_is_refused(rig):
    bearer = {"authorization": f"Bearer {rig.token}"}
    answer = await rig.call("POST", "/v1/signals?bot=x", json={}, headers=bearer)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "query/bot")


async def test_the_time_to_answer_is_observed_of_what_is_refused_too(rig):
    def observed() -> float:
        return REGISTRY.get_sample_value("switchhook_http_seconds_count", {"route": "signals"}) or 0.0

    before = observed()
    await rig.call("POST", "/v1/signals", json={})
    assert observed() == before + 1
