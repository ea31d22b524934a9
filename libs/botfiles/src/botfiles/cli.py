"""The `switchhook-bots` command: a project's bots as files. `./switchhook apply` and `./switchhook export` are the same.

Exit codes, as `switchhook-flow` has them: 0, all is well; 1, something was refused or left as it is; 2, the command cannot be
carried out.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx

from botfiles.api import Api, ApiRefusal
from botfiles.applying import WRITES, Applying
from botfiles.errors import CannotGoOn
from botfiles.exporting import export
from botfiles.folder import read_folder
from botfiles.kinds import BOT
from botfiles.planning import Step, plan
from botfiles.project import read_project
from botfiles.remembered import read_remembered
from botfiles.things import PUBLISHED
from contracts.printable import printable

WELL, LEFT, UNUSABLE, CUT_OFF = 0, 1, 2, 130
CODES = "Exit codes: 0, all is well; 1, something was refused or left as it is; 2, the command cannot be carried out."
ABOUT = "A project's bots as files. The token, of scope admin, is read from SWITCHHOOK_TOKEN."
HOPELESS = ("conflict", "blocked")


def main(arguments: Sequence[str] | None = None, name: str = "switchhook-bots") -> int:
    """Run one command; its exit code. Raises SystemExit where it is none. `name`: how the caller calls this."""
    given = _parser(name).parse_args(arguments)
    try:
        code: int = asyncio.run(given.run(given))
    except (CannotGoOn, ApiRefusal) as error:
        for line in str(error).splitlines():
            print(f"{name}: {printable(line)}", file=sys.stderr)
        return UNUSABLE
    except KeyboardInterrupt:
        print(f"{name}: cut off: what was done is done, and the same command does the rest", file=sys.stderr)
        return CUT_OFF
    return code


def _parser(name: str) -> argparse.ArgumentParser:
    whole = argparse.ArgumentParser(prog=name, description=ABOUT, epilog=CODES)
    verbs = whole.add_subparsers(required=True, metavar="VERB")

    applied = verbs.add_parser("apply", help="bring a project to what a folder says", epilog=CODES)
    applied.add_argument("-f", "--folder", required=True, metavar="FOLDER")
    applied.add_argument("--dry-run", action="store_true", help="show the plan, and do nothing")
    applied.add_argument("--yes", action="store_true", help="go on without asking")
    applied.add_argument(
        "--overwrite", action="store_true", help="take the files also where the project was changed meanwhile"
    )
    applied.add_argument("--prune", action="store_true", help="delete what no file describes; never a bot")
    applied.set_defaults(run=_apply)

    exported = verbs.add_parser("export", help="write what a project has into a folder", epilog=CODES)
    exported.add_argument("folder", metavar="FOLDER")
    exported.set_defaults(run=_export)

    for verb in (applied, exported):
        verb.add_argument(
            "--url", default=os.environ.get("SWITCHHOOK_URL"), help="where the API is; else SWITCHHOOK_URL"
        )
        verb.add_argument(
            "--project",
            default=os.environ.get("SWITCHHOOK_PROJECT"),
            help="the project's id, where the token is the operator's; else SWITCHHOOK_PROJECT",
        )
    return whole


async def _apply(given: argparse.Namespace) -> int:
    async with _api(given) as api:
        return await apply(
            api,
            Path(given.folder),
            dry_run=given.dry_run,
            yes=given.yes,
            overwrite=given.overwrite,
            prune=given.prune,
        )


async def _export(given: argparse.Namespace) -> int:
    async with _api(given) as api:
        await export(api, Path(given.folder), _tell)
        return WELL


async def apply(
    api: Api, folder: Path, *, dry_run: bool = False, yes: bool = False, overwrite: bool = False, prune: bool = False
) -> int:
    """The exit code. Raises CannotGoOn, ApiRefusal."""
    wanted = read_folder(folder)
    project = await read_project(api)
    remembered = read_remembered(folder, project.id)
    steps = plan(wanted, project.found, project.known, remembered, overwrite=overwrite)
    _show(steps, prune=prune)
    is_left = any(step.action in HOPELESS for step in steps)
    if dry_run:
        return LEFT if is_left else WELL
    does = any(step.action in WRITES or (prune and _is_pruned(step)) for step in steps)
    if does and not yes and not _agreed():
        return LEFT
    applying = Applying(api, project, remembered, _tell)
    await applying.run(steps, prune=prune)
    return LEFT if is_left or applying.refused else WELL


def _api(given: argparse.Namespace) -> Api:
    token = os.environ.get("SWITCHHOOK_TOKEN", "")
    if not given.url or not token:
        raise CannotGoOn(
            "say where the API is by SWITCHHOOK_URL or --url, and put a token of scope admin into SWITCHHOOK_TOKEN"
        )
    try:
        return Api(given.url, token, given.project)
    except (httpx.InvalidURL, ValueError) as error:
        raise CannotGoOn(f"{given.url} is no URL: {error}") from error


def _is_pruned(step: Step) -> bool:
    return step.action == "absent" and step.thing.kind is not BOT


def _show(steps: Sequence[Step], *, prune: bool) -> None:
    for step in steps:
        if step.action != "unchanged":
            _tell(_line(step, prune=prune))
    counts = Counter(step.action for step in steps)
    print(", ".join(f"{number} {action}" for action, number in sorted(counts.items())) or "nothing is there")


def _line(step: Step, *, prune: bool) -> str:
    thing = f"{step.thing.kind.word} {step.thing.name}"
    if step.action == "absent":
        if step.thing.kind is BOT:
            return f"absent   {thing}: no file describes it; bots are never deleted here"
        return f"{'delete' if prune else 'absent':8} {thing}: no file describes it{'' if prune else ' (--prune deletes it)'}"
    hint = " (--overwrite takes the file)" if step.action == "conflict" else ""
    also = ", publish" if step.action in ("create", "change") and PUBLISHED in step.parts else ""
    why = f": {step.why}" if step.why else ""
    return f"{step.action + also:8} {thing}{why}{hint}"


def _tell(line: str) -> None:
    print(printable(line))


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise CannotGoOn("nobody can be asked here: say --yes, or --dry-run to see the plan only")
    return input("Go on? [y/N] ").strip().casefold() in ("y", "yes")
