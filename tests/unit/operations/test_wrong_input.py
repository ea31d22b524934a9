"""Whatever is wrong with an operator's environment or words, each verb says it in a sentence, with exit code 1 and no secret."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

from operations.cli import app
from operations.errors import CommandError

SECRET = "hunter2hunter2hunter2hunter2hunter2"
NOWHERE = "127.0.0.1:1"
VERBS = (
    "setup", "migrate", "rotate-kek --current k1", "doctor", "topics plan", "topics create", "topics alter",
    "topics grow --partitions 24", "topics accept-loss flow-engine", "topics accept-loss flow-engine switchhook.inbound.v1 0",
    "acls apply", "checkpoints accept-restore dispatcher", "checkpoints accept-restore dispatcher again", "dlq list",
    "dlq show x", "dlq release x", "dlq discard --all", "held list", "held show x", "held release --all",
    "held discard x --all", "project create a", "project list", "project kafka p", "token create t --project p --scope admin",
    "token list --project p", "token revoke t --project p", "erasures again",
)  # fmt: skip
BY_KAFKA = tuple(verb for verb in VERBS if verb.split()[0] in ("topics", "acls") and "accept" not in verb)
BY_DATABASE = (
    *(verb for verb in VERBS if "accept" in verb),
    "setup",
    "migrate",
    "rotate-kek --current k1",
    "erasures again",
)
BY_API = tuple(verb for verb in VERBS if verb.split()[0] in ("dlq", "held", "project", "token"))
OTHERS = {"acls show", "top"}
"""Verbs that need no server that answers: they print, or show that none does."""


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """What a verb quiets it quiets for its process."""
    log = logging.getLogger("aiokafka")
    before = log.level
    yield
    log.setLevel(before)


def dsns(host: str, scheme: str = "postgresql", login: str = f"me:{SECRET}@") -> dict[str, str]:
    names = ("REGISTRY", "FLOW_ENGINE", "DISPATCHER", "ADMIN")
    return {f"SWITCHHOOK_DATABASE_{name}": f"{scheme}://{login}{host}/switchhook" for name in names}


def urls(base: str) -> dict[str, str]:
    return {"SWITCHHOOK_REGISTRY_URL": base, "SWITCHHOOK_FLOW_ENGINE_URL": base, "SWITCHHOOK_ADMIN_TOKEN": SECRET}


AWAY = {"SWITCHHOOK_KAFKA": NOWHERE, **dsns(NOWHERE), **urls(f"http://{NOWHERE}")}


def run(verb: str, env: Mapping[str, str]) -> Result:
    return CliRunner().invoke(app, verb.split(), env=dict.fromkeys(AWAY, "") | dict(env))


def refusal(verb: str, env: Mapping[str, str]) -> str:
    """The sentence of a verb that does nothing."""
    answered = run(verb, env)
    assert answered.exit_code == 1
    assert isinstance(answered.exception, CommandError), answered.exception
    assert SECRET not in str(answered.exception) + answered.output
    return str(answered.exception)


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if not isinstance(command, TyperGroup):
        yield " ".join(path)
        return
    for name, each in command.commands.items():
        yield from leaves(each, (*path, name))


def test_each_verb_is_tried() -> None:
    tried = {
        verb for verb in leaves(typer.main.get_command(app)) if any(f"{each} ".startswith(f"{verb} ") for each in VERBS)
    }
    assert set(leaves(typer.main.get_command(app))) == tried | OTHERS


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "doctor"])
def test_without_an_environment_it_says_what_is_not_known(verb: str) -> None:
    said = refusal(verb, {})
    assert said.startswith("It is not known where ")
    assert "docs/reference/settings.md" in said
    assert ("--kafka" in said) == ("where Kafka is" in said and verb != "setup")


@pytest.mark.parametrize("verb", BY_KAFKA)
def test_a_kafka_that_is_away_is_named(verb: str) -> None:
    assert f"at {NOWHERE}: no broker answers there." in refusal(verb, AWAY)


@pytest.mark.parametrize("verb", BY_DATABASE)
def test_a_database_that_is_away_is_named(verb: str) -> None:
    env = AWAY | (
        {
            "SWITCHHOOK_DATABASE_" + n: f"postgresql://switchhook_{n.lower()}:{SECRET}@{NOWHERE}/switchhook"
            for n in ("REGISTRY", "FLOW_ENGINE", "DISPATCHER")
        }
        if verb == "setup"
        else {}
    )
    assert f"PostgreSQL at {NOWHERE} as me" in refusal(verb, env)


@pytest.mark.parametrize("verb", BY_DATABASE)
@pytest.mark.parametrize(
    "wrong",
    [
        {"login": f"me:{SECRET}#@"},
        {"login": "", "host": f"me:{SECRET}"},
        {"host": "localhost:port"},
        {"scheme": "mysql"},
    ],
)
def test_what_is_no_dsn_is_said_without_showing_it(verb: str, wrong: dict[str, str]) -> None:
    assert "postgresql://" in refusal(verb, AWAY | dsns(**{"host": NOWHERE, **wrong}))


@pytest.mark.parametrize("verb", BY_API)
def test_an_api_that_is_away_is_named(verb: str) -> None:
    assert refusal(verb, AWAY).startswith(f"The API at http://{NOWHERE} does not answer (")


@pytest.mark.parametrize("verb", BY_API)
@pytest.mark.parametrize("url", ["127.0.0.1:1", "htp://x", "http://[::1", "http://x:99999999", "http://x y"])
def test_what_is_no_url_is_said(verb: str, url: str) -> None:
    assert "has to be http://host:port" in refusal(verb, urls(url))


@pytest.mark.parametrize("verb", BY_API)
@pytest.mark.parametrize("token", [f"{SECRET}\n", f"{SECRET}ö"])
def test_what_no_token_holds_is_said_without_showing_it(verb: str, token: str) -> None:
    assert "holds what no token does" in refusal(verb, AWAY | {"SWITCHHOOK_ADMIN_TOKEN": token})


@pytest.mark.parametrize("verb", VERBS)
def test_a_setting_that_is_wrong_is_named(verb: str) -> None:
    assert "SWITCHHOOK_KAFKA_SECURITY_PROTOCOL" in refusal(verb, AWAY | {"SWITCHHOOK_KAFKA_SECURITY_PROTOCOL": "TLS"})


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("migrate nobody", "nobody is no service with a database: choose one of dispatcher, flow-engine, registry."),
        ("topics accept-loss ingress", "ingress is no service with a database"),
        ("checkpoints accept-restore ingress", "ingress is no service with a database"),
        ("checkpoints accept-restore dispatcher maybe", "say again or skip"),
        ("topics grow", "--partitions"),
        ("dlq release", "give --all"),
        ("held release", "give --all"),
        ("held discard x", "--position N"),
        ("rotate-kek", "give --current"),
    ],
)
def test_words_that_do_not_go_together_are_refused(verb: str, said: str) -> None:
    assert said in refusal(verb, AWAY)


@pytest.mark.parametrize("env", [{}, AWAY], ids=["nothing is known", "everything is away"])
def test_doctor_tells_of_everything_that_could_not_be_checked(env: Mapping[str, str]) -> None:
    answered = run("doctor", env)
    assert isinstance(answered.exception, SystemExit)
    assert (answered.exit_code, SECRET in answered.output, "Traceback" in answered.output) == (1, False, False)
    assert "FIX" in answered.output
