"""Results as JUnit XML, which CI servers read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from flowtools.testing import CaseResult, FileResult

_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def report(results: Sequence[FileResult]) -> str:
    """One `testsuite` per file, one `testcase` per case."""
    cases = [case for result in results for case in result.cases]
    whole = Element("testsuites", _counts(cases))
    for result in results:
        suite = SubElement(whole, "testsuite", {"name": _text(result.file.name), **_counts(result.cases)})
        for case in result.cases:
            attributes = {"classname": _text(result.file.name), "name": _text(case.name), "time": f"{case.seconds:.3f}"}
            _add_failure(SubElement(suite, "testcase", attributes), result, case)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(whole, encoding="unicode") + "\n"


def _add_failure(element: Element, result: FileResult, case: CaseResult) -> None:
    if case.failed:
        wrong = [problem for problem in case.problems if problem.severity == "error"]
        failure = SubElement(element, "failure", {"message": _text(wrong[0].message)})
        failure.text = _text("\n".join(map(result.file.finding, wrong)))


def _counts(cases: Sequence[CaseResult]) -> dict[str, str]:
    return {
        "tests": str(len(cases)),
        "failures": str(sum(case.failed for case in cases)),
        "errors": "0",
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }


def _text(text: str) -> str:
    """Without the characters that XML cannot have."""
    return _NOT_IN_XML.sub("\ufffd", text)
