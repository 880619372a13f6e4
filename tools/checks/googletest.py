"""From what a test binary printed and wrote to the cases that it consists of."""

from __future__ import annotations

import json
import re

from checks.report import Case, Outcome

DISABLED = "DISABLED_"
END = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?:, where .*)? \(\d+ ms\)$")


def cases_of(name: str, status: int, output: str, results: str | None) -> list[Case]:
    """`results` is the JSON that GoogleTest writes at its end; None if the binary wrote none.

    A binary without it, a script for instance, is one case with its exit status for a verdict. What
    belongs to another shard is no case.
    """
    if results is None:
        if status == 0:
            return [Case(name, Outcome.PASSED)]
        return [Case(name, Outcome.FAILED, f"{output}\n{_ending(status)}")]
    printed = _output_by_case(output)
    cases = []
    suites = json.loads(results)["testsuites"]
    for suite in suites:
        for case in suite["testsuite"]:
            full = f"{case.get('classname', suite['name'])}.{case['name']}"
            if case["result"] != "SUPPRESSED" or case["name"].startswith(DISABLED):
                cases.append(_case(f"{name}/{full}", case, printed.get(full, "")))
    if not suites:
        return [Case(name, Outcome.FAILED, "the binary has no test")]
    if status != 0 and all(case.outcome is not Outcome.FAILED for case in cases):
        # For instance a leak that the sanitizer found after the last test.
        cases.append(Case(name, Outcome.FAILED, f"{output}\nno case failed, but {_ending(status)}"))
    return cases


def _case(name: str, case: dict[str, object], output: str) -> Case:
    if "failures" in case:
        return Case(name, Outcome.FAILED, output or json.dumps(case["failures"], indent=1))
    if case["result"] == "SKIPPED":
        return Case(name, Outcome.SKIPPED, _skip_reason(output))
    if case["status"] != "RUN":
        return Case(name, Outcome.SKIPPED, "disabled in its source")
    return Case(name, Outcome.PASSED)


def _output_by_case(output: str) -> dict[str, str]:
    """What was printed between the "[ RUN" and the end of each case."""
    printed: dict[str, str] = {}
    lines: list[str] = []
    for line in output.splitlines():
        if line.startswith("[ RUN "):
            lines = []
            continue
        end = END.match(line)
        if end:
            printed[end[2]] = "\n".join(lines)
        lines.append(line)
    return printed


def _skip_reason(output: str) -> str:
    """GTEST_SKIP() prints "file:line: Skipped", then what it was given."""
    reason = re.search(r"^\S+:\d+: Skipped\n(.*)", output, re.MULTILINE | re.DOTALL)
    return reason[1].strip() if reason else "no reason given"


def _ending(status: int) -> str:
    if status < 0:
        return f"it was killed by signal {-status}"
    return f"it ended with status {status}"
