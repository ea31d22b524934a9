"""GET /v1/r/{signed}."""

import pytest

from contracts.inbound import LinkFollowed
from contracts.links import RedirectLink
from support.ingress_fakes import BOT, CHANNEL, PROJECT

KEY = f"{BOT}/{CHANNEL}/5"


def url(rig, **more):
    known = {"link_id": "l", "bot_id": BOT, "conversation": KEY, "url": "https://shop.example/a?b=1", "node": "offer"}
    link = RedirectLink(**(known | more))
    return "/v1/r/" + rig.keys.sign_link("r", PROJECT, link.model_dump(mode="json", exclude_none=True))


async def test_the_visitor_is_sent_on_and_the_event_tells_so(rig):
    answer = await rig.call("GET", url(rig, contact_id="c1"))
    assert (answer.status, answer.headers["location"]) == (302, "https://shop.example/a?b=1")
    await rig.ingress.intake.drained()
    assert rig.publisher.of("switchhook.events.v1") == []
    (record,) = rig.publisher.of("switchhook.inbound.v1")
    assert (record.key, dict(record.headers)["ce_project"]) == (KEY.encode(), PROJECT.encode())
    followed = LinkFollowed.model_validate_json(record.value)
    assert (followed.link_id, followed.url, followed.node) == ("l", "https://shop.example/a?b=1", "offer")
    assert (followed.bot_id, followed.channel_id, followed.peer_id) == (BOT, CHANNEL, "5")


async def test_kafka_gone_does_not_keep_the_visitor(rig):
    rig.publisher.down = True
    assert (await rig.call("GET", url(rig))).status == 302


@pytest.mark.parametrize("method", ["HEAD", "POST"])
async def test_other_methods_follow_nothing(rig, method):
    assert (await rig.call(method, url(rig))).status == 405
    assert rig.publisher.records == []


async def test_forged_and_expired_are_404(rig):
    assert (await rig.call("GET", "/v1/r/x")).status == 404
    assert (await rig.call("GET", url(rig, expires_at="2020-01-01T00:00:00Z"))).status == 404


async def test_a_link_that_belongs_to_no_conversation_is_told_by_its_bot(rig):
    assert (await rig.call("GET", url(rig, conversation=""))).status == 302
    await rig.ingress.intake.drained()
    assert rig.publisher.of("switchhook.events.v1")[0].key == BOT.encode()
    assert "channel" not in rig.events("redirect.followed")[0]
