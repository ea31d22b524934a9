"""POST /v1/run/{trigger} while the trigger changes: what was found before is not remembered for the changed one."""

import pytest

from contracts.registry import Token
from servicekit.credentials.tokens import generate_token
from support.ingress_fakes import PROJECT, trigger

ASYNC = {"prefer": "respond-async"}


@pytest.mark.parametrize("in_body", [False, True], ids=["header", "body"])
async def test_a_trigger_that_changes_while_a_body_comes_is_the_changed_one_from_then_on(rig, in_body):
    own = rig.view.get("trigger", "trigger-1").auth.token_id
    fixed = trigger(own, group_peer_id="-1001")
    body, variables = {"peer_id": 5, "variables": {"order_id": "7"}}, {"variables": {"order_id": "7"}}
    headers = ASYNC if in_body else ASYNC | {"authorization": f"Bearer {rig.token}"}
    body, variables = ({"token": rig.token} | each if in_body else each for each in (body, variables))
    path = "/v1/run/trigger-1"
    await rig.call("POST", path, json=body, headers=headers, before_body=lambda: rig.view.put("trigger", fixed))
    assert (await rig.call("POST", path, json=variables, headers=headers)).status == 202
    assert rig.inbound[-1]["peer_id"] == "-1001"


async def test_a_token_that_a_trigger_lost_while_a_body_came_opens_it_no_more(rig):
    made = generate_token()
    rig.view.put(
        "token", Token(id=made.id, project_id=PROJECT, name="new", sha256=made.sha256, scopes=("flows:execute",))
    )
    body = {"token": rig.token, "peer_id": 5, "variables": {"order_id": "7"}}
    change = {"before_body": lambda: rig.view.put("trigger", trigger(made.id))}
    await rig.call("POST", "/v1/run/trigger-1", json=body, headers=ASYNC, **change)
    answer = await rig.call("POST", "/v1/run/trigger-1", json=body, headers=ASYNC)
    assert (answer.status, answer.json["type"].rpartition("/")[2]) == (403, "token-not-of-this-trigger")
