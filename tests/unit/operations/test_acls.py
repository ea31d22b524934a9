"""Which users access control lists are made for."""

import pytest
from typer.testing import CliRunner

from contracts.access import Grant
from operations.acls import lines, principals
from operations.cli import app
from operations.errors import CommandError
from servicekit.kafka.cluster import Cluster


def test_users_are_named_one_by_one_or_by_a_pattern() -> None:
    assert principals()["flow-engine"] == "switchhook-flow-engine"
    users = principals(["ingress=sa-81f3", "User:CN={},O=Acme", "operator=User:CN=me"])
    assert users == {
        "ingress": "sa-81f3",
        "flow-engine": "CN=flow-engine,O=Acme",
        "dispatcher": "CN=dispatcher,O=Acme",
        "registry": "CN=registry,O=Acme",
        "operator": "CN=me",
    }


@pytest.mark.parametrize("said", ["flow_engine=sa-1", "ingress=", "sa-1"])
def test_what_names_no_user_is_refused(said: str) -> None:
    with pytest.raises(CommandError, match="says no user: give NAME=USER, where NAME is one of ingress, "):
        principals([said])


def test_a_name_with_a_space_is_one_word_for_the_shell() -> None:
    (line,) = lines([Grant("ingress", "group", "g", ("Read",))], Cluster("", "blue."), {"ingress": "CN=a b"})
    assert line == "--allow-principal 'User:CN=a b' --operation Read --group blue.g"


@pytest.mark.parametrize("verb", [("acls", "show"), ("acls", "apply"), ("setup",)])
def test_every_verb_that_makes_lists_takes_users_from_the_environment(verb: tuple[str, ...]) -> None:
    answered = CliRunner().invoke(
        app, verb, env={"SWITCHHOOK_KAFKA": "127.0.0.1:1", "SWITCHHOOK_PRINCIPALS": "bots-{} nobody=sa-1"}
    )
    assert isinstance(answered.exception, CommandError)
    assert "'nobody=sa-1' says no user" in str(answered.exception)
