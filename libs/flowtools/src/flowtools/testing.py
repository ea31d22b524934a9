"""The test cases of a flow file, run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from flowlang.language.document import load
from flowlang.problems import FlowInvalid, Problem, pointer
from flowlang.simulation.cases import play_case
from flowtools.checking import problems_of
from flowtools.files import FlowFile
from flowtools.playing import CodeRunner, bot_of, surroundings


@dataclass(frozen=True)
class CaseResult:
    """One case. What is wrong is an error, what else is to be said a warning."""

    name: str
    problems: list[Problem]
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether something was not as expected, or could not be played."""
        return any(problem.severity == "error" for problem in self.problems)


@dataclass(frozen=True)
class FileResult:
    """All cases of a file."""

    file: FlowFile
    cases: list[CaseResult] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        for case in self.cases:
            yield f"{'FAILED' if case.failed else 'passed'}  {self.file.name}: {case.name}"
            yield from (f"        {self.file.finding(problem)}" for problem in case.problems)


async def run_cases(file: FlowFile, beside: Sequence[FlowFile]) -> FileResult:
    """Its cases, one after the other. A flow that could not be published is one case that failed."""
    wrong = [problem for problem in problems_of(file, beside) if problem.severity == "error"]
    try:
        flows = bot_of(file, beside)
    except FlowInvalid as error:
        wrong = wrong or error.problems
    if wrong:
        return FileResult(file, [CaseResult("the document is sound", wrong)])
    document, around, results = load(file.document), surroundings(), list[CaseResult]()
    async with CodeRunner() as runner:
        for index, case in enumerate(document.tests):
            began = time.perf_counter()
            told = await runner.to_the_end(
                play_case(flows, document.slug, case, around, pointer("tests", index))
            )  # fmt: skip
            results.append(CaseResult(case.name, told.problems, time.perf_counter() - began))
    return FileResult(file, results)
