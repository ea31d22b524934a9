"""POST /v1/signals."""

import pytest

from support.ingress_fakes import BOT, CHANNEL


async def post(rig, body):
    return await rig.call("POST", "/v1/signals", json=body, headers={"authorization": f"Bearer {rig.token}"})


async def test_a_signal_goes_to_its_person(rig):
    body = {"bot": BOT, "name": "paid", "person": {"peer_id": 5}, "data": {"sum": 7}}
    answer = await post(rig, body)
    assert (answer.status, answer.json["status"]) == (202, "accepted")
    (signal,) = rig.inbound
    assert (signal["kind"], signal["name"], signal["data"]) == ("signal", "paid", {"sum": 7})
    assert rig.publisher.of("switchhook.inbound.v1")[0].key == f"{BOT}/{CHANNEL}/5".encode()


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"bot": "bot-2"}, 404),
        ({"name": 5}, 422),
        ({"name": "n" * 101}, 422),
        ({"name": ""}, 422),
        ({"person": None}, 422),
        ({"extra": 1}, 422),
        ({"data": []}, 422),
    ],
)
async def test_what_is_wrong_is_refused(rig, change, status):
    body = {"bot": BOT, "name": "paid", "person": {"peer_id": "5"}} | change
    assert (await post(rig, body)).status == status
    assert rig.inbound == []
