"""The `switchhook-flow` command of who writes flows: check, test, simulate, import, with no server. `./switchhook flow` is the same.

Exit codes: 0, all is well; 1, an error was found or a case failed; 2, the command cannot be carried out.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from flowtools import junit
from flowtools.checking import problems_of
from flowtools.files import CannotRead, FlowFile, read
from flowtools.importing.exports import NotImported
from flowtools.importing.importer import BUILDERS, import_file
from flowtools.simulating import BadScript, simulate, typed_lines
from flowtools.testing import run_cases

WELL, WRONG, UNUSABLE = 0, 1, 2
EXIT_CODES = "Exit codes: 0, all is well; 1, an error was found or a case failed; 2, the command cannot be carried out."
BESIDE = "another flow of the same bot, to which jumps and calls lead; may be given several times"


def main(arguments: Sequence[str] | None = None, name: str = "switchhook-flow") -> int:
    """Run one command; its exit code. Raises SystemExit where it is none. `name`: how the caller calls this."""
    given = _parser(name).parse_args(arguments)
    try:
        code: int = given.run(given)
    except (CannotRead, BadScript, NotImported) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return UNUSABLE
    return code


def _parser(name: str) -> argparse.ArgumentParser:
    about = "Check, test, simulate and import flow documents, with no server."
    whole = argparse.ArgumentParser(prog=name, description=about, epilog=EXIT_CODES)
    verbs = whole.add_subparsers(required=True, metavar="VERB")

    check = verbs.add_parser("check", help="say what is wrong with flow documents", epilog=EXIT_CODES)
    check.add_argument("files", nargs="+", metavar="FILE")
    check.set_defaults(run=_check)

    test = verbs.add_parser("test", help="run the test cases that flow documents carry", epilog=EXIT_CODES)
    test.add_argument("files", nargs="+", metavar="FILE")
    test.add_argument("--junit", metavar="OUT.xml", help="write what came out as JUnit XML, too")
    test.set_defaults(run=_test)

    simulated = verbs.add_parser("simulate", help="play a script, or what is typed", epilog=EXIT_CODES)
    simulated.add_argument("file", metavar="FILE")
    simulated.add_argument(
        "--script", metavar="FILE", help="YAML or JSON with `given` and `steps`, as a test case has them"
    )
    simulated.add_argument("--json", action="store_true", help="print all of each step: nodes, effects and state")
    simulated.set_defaults(run=_simulate)

    imported = verbs.add_parser("import", help="make a flow of another builder's export", epilog=EXIT_CODES)
    imported.add_argument(
        "file", metavar="FILE", help="Typebot's JSON, or a flow.json in the folder of a Botpress 12 bot"
    )
    imported.add_argument("--from", dest="builder", required=True, choices=sorted(BUILDERS), help="what exported it")
    imported.add_argument(
        "--report", metavar="OUT", help="write there what was not taken over as it was, not to stderr"
    )
    imported.set_defaults(run=_import)

    for verb in (check, test, simulated):
        verb.add_argument("--beside", action="append", default=[], metavar="FILE", help=BESIDE)
    return whole


def _check(given: argparse.Namespace) -> int:
    beside = _read_all(given.beside)
    found_errors = False
    for file in _read_all(given.files):
        for problem in problems_of(file, beside):
            print(file.finding(problem))
            found_errors = found_errors or problem.severity == "error"
    return WRONG if found_errors else WELL


def _test(given: argparse.Namespace) -> int:
    beside = _read_all(given.beside)
    results = [asyncio.run(run_cases(file, beside)) for file in _read_all(given.files)]
    for result in results:
        for line in result.lines():
            print(line)
    failed = sum(case.failed for result in results for case in result.cases)
    ran = sum(len(result.cases) for result in results)
    print(f"{ran} cases, {failed} failed")
    if given.junit:
        _write(given.junit, junit.report(results))
    return WRONG if failed else WELL


def _simulate(given: argparse.Namespace) -> int:
    file, beside = read(given.file), _read_all(given.beside)
    errors = [problem for problem in problems_of(file, beside) if problem.severity == "error"]
    for problem in errors:
        print(file.finding(problem), file=sys.stderr)
    if errors:
        return WRONG
    script = read(given.script) if given.script else None
    lines = None if script else typed_lines(sys.stdin)
    return WELL if asyncio.run(simulate(file, beside, script, lines, as_json=given.json)) else WRONG


def _import(given: argparse.Namespace) -> int:
    try:
        imported = import_file(Path(given.file), given.builder)
    except OSError as error:
        raise CannotRead(f"{given.file}: {error.strerror}") from error
    print(imported.text, end="")
    lines = "".join(f"{finding.line()}\n" for finding in imported.findings)
    if given.report:
        _write(given.report, lines)
    else:
        print(lines, end="", file=sys.stderr)
    return WRONG if imported.errors else WELL


def _read_all(names: Sequence[str]) -> list[FlowFile]:
    return [read(name) for name in names]


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CannotRead(f"{name}: {error.strerror}") from error
