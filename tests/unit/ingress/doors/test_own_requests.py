"""A flow whose webhook is its own generated URL: hops bound how deep such a loop goes, a rate of its own how broad."""

from hashlib import sha256

import pytest

from contracts.links import HookLink
from contracts.registry import Channel, Token
from ingress.intake import rate_limits
from ingress.intake.rate_limits import Rate
from servicekit.credentials.tokens import generate_token
from support.ingress_fakes import BOT, CHANNEL, PROJECT

HOPS = {"switchhook-hops": "3"}


def digest(text):
    return sha256(text.encode()).hexdigest()


async def trigger(rig, headers):
    return await rig.run(headers={"prefer": "respond-async", **headers})


async def hook_url(rig, headers):
    rig.engine = lambda _: {"status": "completed", "answer": "x"}
    link = HookLink(link_id="link-1", bot_id=BOT, command="/onWebhook")
    path = "/v1/w/" + rig.keys.sign_link("w", PROJECT, link.model_dump(mode="json", exclude_none=True))
    return await rig.call("POST", path, headers=headers)


async def signal(rig, headers):
    body = {"bot": BOT, "name": "paid", "person": {"peer_id": 5}}
    return await rig.call("POST", "/v1/signals", json=body, headers={"authorization": f"Bearer {rig.token}", **headers})


async def platform(rig, headers):
    known = {"id": CHANNEL, "project_id": PROJECT, "bot_id": BOT, "name": "tg", "type": "telegram"}
    rig.view.put("channel", Channel(**known, inbound_sha256=digest("r4nd0m"), secret_token_sha256=digest("s")))
    person = {"id": 42, "first_name": "Ann"}
    message = {"message_id": 1, "from": person, "chat": {"id": 42, "type": "private"}, "text": "hi"}
    return await rig.call(
        "POST", f"/v1/in/{CHANNEL}/r4nd0m", json={"update_id": 7, "message": message},
        headers={"x-telegram-bot-api-secret-token": "s", **headers},
    )  # fmt: skip


async def web_chat(rig, headers):
    rig.view.put("channel", Channel(id="web-1", project_id=PROJECT, bot_id=BOT, type="webchat", name="web"))
    session = (await rig.call("POST", "/v1/web/web-1/sessions")).json
    path = f"/v1/web/web-1/sessions/{session['session_id']}/messages"
    bearer = {"authorization": f"Bearer {session['token']}"}
    return await rig.call("POST", path, json={"client_message_id": "1", "text": "hi"}, headers=bearer | headers)


async def bot_api(rig, headers):
    rig.view.put("channel", Channel(id="http-1", project_id=PROJECT, bot_id=BOT, type="http", name="api"))
    made, sessions = generate_token(), f"/v1/talk/{BOT}/sessions"
    known = {"id": made.id, "project_id": PROJECT, "name": "talk", "sha256": made.sha256}
    rig.view.put("token", Token(**known, scopes=("bots:converse",)))
    bearer = {"authorization": f"Bearer {made.text}"}
    session = (await rig.call("POST", sessions, json={}, headers=bearer)).json
    path, said = f"{sessions}/{session['session_id']}/messages", {"client_message_id": "1", "text": "hi"}
    return await rig.call("POST", path, json=said, headers=bearer | headers)


DOORS = [trigger, hook_url, signal, platform, web_chat, bot_api]


@pytest.mark.parametrize("door", DOORS, ids=[each.__name__ for each in DOORS])
async def test_requests_of_the_projects_own_making_have_a_rate(rig, monkeypatch, door):
    monkeypatch.setattr(rate_limits, "OWN_REQUESTS", Rate(2, 60))
    answers = [await door(rig, HOPS) for _ in range(3)]
    assert [each.status for each in answers] == [answers[0].status, answers[0].status, 429]
    assert answers[0].status < 300
    assert "Switchhook-Hops" in answers[2].json["detail"]
    assert (await door(rig, {})).status == answers[0].status


@pytest.mark.parametrize("door", DOORS, ids=[each.__name__ for each in DOORS])
async def test_hops_travel_on(rig, door):
    await door(rig, HOPS)
    assert rig.inbound[-1]["hops"] == 3


def test_each_project_has_its_own(monkeypatch):
    monkeypatch.setattr(rate_limits, "OWN_REQUESTS", Rate(1, 60))
    limiter = rate_limits.Limiter(lambda: 1)
    limiter.check_own("a", 1)
    limiter.check_own("b", 1)
    with pytest.raises(rate_limits.ProblemError):
        limiter.check_own("a", 1)
