"""What `dev` gives a person to try."""

from __future__ import annotations

import shlex

from devstack.paths import ROOT
from devstack.seed import BOTS, TRIED, Seed, read_examples

SEED = Seed("p", token="swh_t", bot_id="b", channel_id="c", trigger_id="r", session_id="s")


def test_a_line_that_fills_in_and_three_commands_are_ready_to_be_pasted() -> None:
    export, *lines = SEED.examples("http://localhost").splitlines()
    assert shlex.split(export) == [
        "export", "BASE=http://localhost", "TOKEN=swh_t", "BOT=b", "SESSION=s", "TRIGGER=r", "CHANNEL=c"
    ]  # fmt: skip
    assert tuple(line.strip() for line in lines) == TRIED


def test_the_lines_are_those_of_the_tutorial() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text().splitlines()
    for line in TRIED:
        assert line in tutorial


def test_every_example_flow_is_given_to_a_bot() -> None:
    assert sorted(flow for flows in BOTS.values() for flow in flows) == sorted(read_examples().flows)
