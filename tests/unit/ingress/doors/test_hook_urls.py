"""GET|POST /v1/w/{signed}: generated URLs."""

import pytest

from contracts.links import HookLink
from contracts.people import Person
from ingress.doors import hook_urls
from ingress.intake import rate_limits
from ingress.intake.rate_limits import Rate
from support.ingress_fakes import BOT, CHANNEL, PROJECT

RAN = {"status": "completed", "answer": "Thanks"}


def url(rig, *, project=PROJECT, purpose="w", **more):
    link = HookLink(**({"link_id": "link-1", "bot_id": BOT, "command": "/onWebhook"} | more))
    return f"/v1/{purpose}/" + rig.keys.sign_link("w", project, link.model_dump(mode="json", exclude_none=True))


@pytest.fixture
def ran(rig):
    rig.engine = lambda _: RAN
    return rig


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_last_message_is_the_answer(ran, method):
    answer = await ran.call(method, url(ran))
    assert (answer.status, answer.json) == (200, {"answer": "Thanks"})
    assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("no-referrer", "no-store")


async def test_a_run_that_says_nothing_answers_null(rig):
    rig.engine = lambda _: {"status": "waiting"}
    assert (await rig.call("GET", url(rig))).json == {"answer": None}


async def test_without_a_person_it_is_the_bots_global_url(ran):
    await ran.call("GET", url(ran))
    (record,) = ran.publisher.of("switchhook.inbound.v1")
    assert record.key == f"{BOT}/-/link-1".encode()
    opened = ran.inbound[0]
    assert (opened["channel_id"], opened["peer_id"], opened["command"]) == ("-", "link-1", "/onWebhook")


@pytest.mark.parametrize(
    ("person", "key"),
    [(Person(peer_id="5"), f"{BOT}/{CHANNEL}/5"), (Person(contact_id="c7"), f"{BOT}/-/contact_id:c7")],
)
async def test_with_a_person_it_runs_in_their_conversation(ran, person, key):
    await ran.call("GET", url(ran, person=person))
    assert ran.publisher.of("switchhook.inbound.v1")[0].key == key.encode()


async def test_the_command_sees_content_and_options(ran):
    path = url(ran, content="own", single_use=True, registered=True)
    await ran.call("POST", path + "?a=1", json={"order_id": 7}, headers={"cookie": "s=1", "x-shop": "7"})
    opened = ran.inbound[0]
    assert (opened["content"], opened["content_raw"]) == ({"order_id": 7}, '{"order_id":7}')
    assert opened["options"]["url"] == f"https://bots.example{path}?a=1"
    assert (opened["options"]["method"], opened["options"]["params"]) == ("POST", {"a": "1"})
    assert (opened["options"]["ip"], opened["options"]["headers"]["x-shop"]) == ("203.0.113.9", "7")
    assert "cookie" not in opened["options"]["headers"]
    assert (opened["single_use"], opened["registered"]) == (True, True)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_any_other_method_runs_nothing(ran, method):
    answer = await ran.call(method, url(ran))
    assert (answer.status, answer.headers["allow"]) == (405, "GET, POST")
    assert answer.headers["cache-control"] == "no-store"
    assert ran.inbound == []


@pytest.mark.parametrize(("method", "status"), [("GET", 302), ("POST", 303)])
async def test_after_the_run_the_caller_is_redirected(ran, method, status):
    answer = await ran.call(method, url(ran, redirect_to="https://shop.example/thanks"))
    assert (answer.status, answer.headers["location"]) == (status, "https://shop.example/thanks")


@pytest.mark.parametrize(
    "away", ["//evil.example", "javascript:alert(1)", "https://a:b@evil.example", "https://a.example/\r\nx: y"]
)
async def test_a_link_of_an_earlier_release_that_leads_nowhere_good_is_none(ran, away):
    payload = {"link_id": "link-1", "bot_id": BOT, "command": "/onWebhook", "redirect_to": away}
    answer = await ran.call("GET", "/v1/w/" + ran.keys.sign_link("w", PROJECT, payload))
    assert (answer.status, "location" in answer.headers, ran.inbound) == (404, False, [])


async def test_a_command_that_raises_is_503_and_says_what_and_never_redirects(rig):
    problem = {"type": "command-failed", "title": "Failed", "status": 503, "detail": "no such order"}
    rig.engine = lambda _: {"status": "failed", "problem": problem}
    answer = await rig.call("GET", url(rig, redirect_to="https://shop.example"))
    assert (answer.status, answer.json["detail"]) == (503, "no such order")
    assert answer.json["type"].endswith("/command-failed")
    assert "retry-after" not in answer.headers
    assert "location" not in answer.headers


async def test_a_loop_is_413_which_nobody_sends_again(rig):
    problem = {"type": "flow-failed", "title": "Failed", "status": 503, "detail": "17 hops", "reason": "too-many-hops"}
    rig.engine = lambda _: {"status": "failed", "problem": problem}
    answer = await rig.call("GET", url(rig))
    assert (answer.status, answer.json["detail"]) == (413, "17 hops")
    assert answer.json["type"].endswith("/too-many-hops")


async def test_used_and_revoked_are_the_engines_word(rig):
    problem = {"type": "link-not-found", "title": "Not found", "status": 404, "detail": "used"}
    rig.engine = lambda _: {"status": "rejected", "problem": problem}
    assert (await rig.call("GET", url(rig))).status == 404


async def test_a_run_that_takes_longer_is_202(rig, monkeypatch):
    monkeypatch.setattr(hook_urls, "WAIT_SECONDS", 0.01)
    assert (await rig.call("GET", url(rig, redirect_to="https://shop.example"))).status == 202


async def test_forged_expired_or_anothers_links_are_404(ran):
    genuine = url(ran)
    wrong = [
        "/v1/w/nonsense",
        genuine[:-2] + ("A" if genuine[-2] != "A" else "B") + genuine[-1],
        url(ran, expires_at="2020-01-01T00:00:00Z"),
        url(ran, project="project-2"),
        url(ran, bot_id="bot-2"),
        url(ran, purpose="r"),
        "/v1/w",
    ]
    assert [(await ran.call("GET", path)).status for path in wrong] == [404] * len(wrong)
    assert ran.inbound == []


async def test_a_confirm_url_answers_get_with_a_button_and_runs_on_post(ran):
    path = url(ran, confirm=True)
    page = await ran.call("GET", path)
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'<form method="post">' in page.body
    assert ran.inbound == []
    assert (await ran.call("POST", path)).json == {"answer": "Thanks"}


async def test_the_page_shows_a_hostile_bot_name_as_text(ran):
    ran.view.put("bot", ran.view.get("bot", BOT).model_copy(update={"name": "<script>"}))
    assert b"<script>" not in (await ran.call("GET", url(ran, confirm=True))).body


async def test_kafka_gone_is_another_503(ran):
    ran.publisher.down = True
    answer = await ran.call("GET", url(ran))
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (503, "unavailable")
    assert answer.headers["retry-after"]


async def test_a_flood_from_one_address_is_limited_by_default(ran, monkeypatch):
    monkeypatch.setattr(rate_limits, "OPEN_DOOR", Rate(3, 60))
    assert [(await ran.call("GET", url(ran))).status for _ in range(4)] == [200, 200, 200, 429]
    assert (await ran.call("GET", url(ran), client="198.51.100.1")).status == 200


async def test_a_record_larger_than_the_engine_takes_is_413(ran):
    answer = await ran.call("POST", url(ran), body=b'"' + b"x" * 900_000 + b'"')
    assert answer.status == 413
