"""`switchhook dlq` and `switchhook held`: what an operator does about dead letters and held conversations, over the API."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from contracts.printable import printable
from operations.api import Api, items
from operations.commands.asking import Token, Url, api_of, run
from operations.errors import CommandError

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="As `list` shows them.")]
All = Annotated[bool, typer.Option("--all", help="All that `list` shows.")]

dlq_app = typer.Typer(help="Dead letters: records that a service could not process.", no_args_is_help=True)
held_app = typer.Typer(help="Conversations that a failed event holds.", no_args_is_help=True)
LETTERS, HELD = "/v1/dlq", "/v1/held"


@dlq_app.command("list")
def list_letters(
    context: typer.Context,
    service: Annotated[str, typer.Option(help="Only this service's.")] = "",
    url: Url = "",
    token: Token = "",
) -> None:
    """One line each: id, code, where it came from, the event, why."""
    run(_list(api_of(context, "registry", url, token), letters_path(service), letter_line, "There is no dead letter."))


@dlq_app.command("show")
def show_letter(context: typer.Context, id: str, url: Url = "", token: Token = "") -> None:
    """The record, with its headers and the reason."""
    run(_show(api_of(context, "registry", url, token), f"{LETTERS}/{id}"))


@dlq_app.command("release")
def release_letters(
    context: typer.Context,
    ids: Ids = None,
    every: All = False,
    service: Annotated[str, typer.Option(help="With --all: only this service's.")] = "",
    url: Url = "",
    token: Token = "",
) -> None:
    """Write the records to the topics that they came from once more: they take the ordinary road."""
    run(_each(api_of(context, "registry", url, token), letters_path(service), ids, every, letter_post("release")))


@dlq_app.command("discard")
def discard_letters(
    context: typer.Context,
    ids: Ids = None,
    every: All = False,
    service: Annotated[str, typer.Option(help="With --all: only this service's.")] = "",
    url: Url = "",
    token: Token = "",
) -> None:
    """Take the records off the list."""
    run(_each(api_of(context, "registry", url, token), letters_path(service), ids, every, letter_post("discard")))


@held_app.command("list")
def list_held(context: typer.Context, url: Url = "", token: Token = "") -> None:
    """One line each: id, how many events wait, since when, for whom, why."""
    run(_list(api_of(context, "flow-engine", url, token), f"{HELD}?limit=200", held_line, "No conversation is held."))


@held_app.command("show")
def show_held(context: typer.Context, id: str, url: Url = "", token: Token = "") -> None:
    """What waits in a conversation, in its order."""
    run(_show(api_of(context, "flow-engine", url, token), f"{HELD}/{id}?limit=200"))


@held_app.command("release")
def release_held(context: typer.Context, ids: Ids = None, every: All = False, url: Url = "", token: Token = "") -> None:
    """Apply what waits, in its order: the conversations are free again unless an event fails again."""

    async def release(api: Api, id: str) -> str:
        answer = await api.post(f"{HELD}/{id}/release")
        return f"released {id}: {answer['events']} events are being applied"

    run(_each(api_of(context, "flow-engine", url, token), f"{HELD}?limit=200", ids, every, release))


@held_app.command("discard")
def discard_held(
    context: typer.Context,
    id: str,
    position: Annotated[list[int] | None, typer.Option(help="Of an event, as `show` has it; may be repeated.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that waits in the conversation.")] = False,
    url: Url = "",
    token: Token = "",
) -> None:
    """Forget events that wait in a conversation. Those that are left go on waiting until they are released."""
    if bool(position) == every:
        raise CommandError("Say which events: --position N, as `switchhook held show` has it, or --all.")

    async def discard(api: Api) -> bool:
        async with api:
            body = {"positions": "all" if every else position}
            answer = await api.post(f"{HELD}/{id}/discard", body)
        typer.echo(f"discarded {answer['discarded']} events of {id}")
        return True

    run(discard(api_of(context, "flow-engine", url, token)))


def letters_path(service: str) -> str:
    """The list, of all services or of one."""
    return f"{LETTERS}?{urlencode({'limit': 200} | ({'service': service} if service else {}))}"


def letter_line(letter: dict[str, Any]) -> str:
    """A dead letter in one line."""
    came = f"{letter['topic']}/{letter['partition']}@{letter['offset']}"
    return f"{letter['id']}  {letter['code']}  {came}  {letter['event_id'] or '-'}  {letter['message']}"


def held_line(held: dict[str, Any]) -> str:
    """A held conversation in one line."""
    who = f"{held['bot_id']}/{held['channel_id']}/{held['peer_id']}"
    error = held["error"] or "its failed event was discarded"
    return f"{held['conversation']}  {held['events']} events  since {held['since']}  {who}  {error}"


def letter_post(verb: str) -> Callable[[Api, str], Awaitable[str]]:
    """Release or discard one dead letter."""

    async def post(api: Api, id: str) -> str:
        answer = await api.post(f"{LETTERS}/{id}/{verb}")
        return f"{answer['state']} {id}"

    return post


async def _list(api: Api, path: str, line: Callable[[dict[str, Any]], str], none: str) -> bool:
    """`none` is said of an empty list, beside the lines that a program reads."""
    found = False
    async with api:
        async for item in items(api, path):
            found = True
            typer.echo(printable(line(item)))
    if not found:
        typer.echo(none, err=True)
    return True


async def _show(api: Api, path: str) -> bool:
    """All of it, also where it has several pages of items."""
    async with api:
        shown = await api.get(path)
        while following := shown.pop("next", None):
            page = await api.get(f"{path}&cursor={following}")
            shown = page | {"items": [*shown["items"], *page["items"]]}
    for line in json.dumps(shown, indent=2, ensure_ascii=False).split("\n"):
        typer.echo(printable(line))
    return True


async def _each(
    api: Api, path: str, ids: Iterable[str] | None, every: bool, do: Callable[[Api, str], Awaitable[str]]
) -> bool:
    """Do it for each; one that is refused is named, and the others are done all the same."""
    if bool(ids) == every:
        raise CommandError("Name the ids, as `list` shows them, or give --all.")
    done = True
    async with api:
        chosen = ids or [item.get("conversation") or item["id"] async for item in items(api, path)]
        for id in chosen:
            try:
                typer.echo(await do(api, id))
            except CommandError as error:
                typer.echo(str(error), err=True)
                done = False
    return done
