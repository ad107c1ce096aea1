"""A result as JUnit XML, in the form that Jenkins, GitLab, GitHub's reporters and Azure read.

A threshold that was missed is a failure; a run that says nothing (invalid, ended by an error, interrupted) is
an error, so that nobody takes it for a verdict about the cluster.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from xml.etree import ElementTree

from loadgen.pipelines.cases import cases
from loadgen.results import Result

#: What XML 1.0 has no way to say (section 2.2).
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(result: Result) -> str:
    """The XML of one test suite."""
    found = cases(result)
    suite = ElementTree.Element(
        "testsuite",
        name=_text(result.title or result.scenario or "loadgen"),
        tests=str(len(found)),
        failures=str(sum(bool(case.failure) and not case.is_error for case in found)),
        errors=str(sum(bool(case.failure) and case.is_error for case in found)),
        skipped="0",
        time=f"{result.seconds:.3f}",
        timestamp=_moment(result.began),
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _properties(result).items():
        ElementTree.SubElement(properties, "property", name=name, value=_text(value))
    for case in found:
        one = ElementTree.SubElement(suite, "testcase", name=_text(case.name), classname="loadgen", time="0")
        if case.failure:
            kind = "error" if case.is_error else "failure"
            told = ElementTree.SubElement(one, kind, message=_text(case.failure), type=result.verdict)
            told.text = _text(case.failure)
        elif case.measured:
            ElementTree.SubElement(one, "system-out").text = _text(case.measured)
    suites = ElementTree.Element("testsuites")
    suites.append(suite)
    ElementTree.indent(suites)
    body = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _properties(result: Result) -> dict[str, str]:
    own = {
        "verdict": result.verdict, "cluster": result.cluster, "policy": result.policy,
        "seed": str(result.seed), "users": str(result.users),
    }  # fmt: skip
    return own | {name: f"{value:.6g}" for name, value in sorted(result.measures.items())}


def _text(text: str) -> str:
    return _FORBIDDEN.sub("?", text)


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return "1970-01-01T00:00:00"
