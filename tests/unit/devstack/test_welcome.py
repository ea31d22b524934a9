"""What `dev` gives a person to try."""

import json
import shlex

from devstack.seed import BOTS, Seed, read_examples


def test_three_commands_are_ready_to_be_pasted() -> None:
    seed = Seed("p", token="swh_t", bot_id="b", channel_id="c", trigger_id="r", session_id="s")
    commands = [shlex.split(line) for line in seed.examples("http://localhost").splitlines()]
    assert [command[:2] for command in commands] == [
        ["curl", "http://localhost/v1/talk/b/sessions/s/messages"],
        ["curl", "http://localhost/v1/run/r"],
        ["curl", "http://localhost/v1/web/c/sessions"],
    ]
    bodies = [json.loads(command[command.index("-d") + 1]) for command in commands]
    assert (bodies[0]["text"], bodies[1]["variables"], bodies[2]) == ("/start", {"order_id": "1001"}, {})


def test_every_example_flow_is_given_to_a_bot() -> None:
    assert sorted(flow for flows in BOTS.values() for flow in flows) == sorted(read_examples().flows)
