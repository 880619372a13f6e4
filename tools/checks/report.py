"""The sum of all checks: what passed, what failed with its output, what was skipped and why."""

from __future__ import annotations

import dataclasses
import enum
import re
import threading


class Outcome(enum.Enum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclasses.dataclass(frozen=True)
class Case:
    """One check: a lint of one file, or one GoogleTest case. Names read "stage/binary/case"."""

    name: str
    outcome: Outcome
    detail: str = ""  # A failure's output, or why it was skipped.


class Report:
    """Takes cases as they come, from any thread; prints failures at once and the sum at the end."""

    def __init__(self, only: re.Pattern[str]) -> None:
        self._only = only
        self._cases: list[Case] = []
        self._lock = threading.Lock()

    def wants(self, name: str) -> bool:
        return self._only.search(name) is not None

    def say(self, text: str) -> None:
        with self._lock:
            print(text, flush=True)

    def add(self, *cases: Case) -> None:
        with self._lock:
            self._cases += cases
            for case in cases:
                if case.outcome is Outcome.FAILED:
                    print(f"FAILED {case.name}\n{_indented(case.detail)}", flush=True)

    def add_group(self, title: str, cases: list[Case]) -> None:
        """Adds the cases of one binary or one kind of lint, with a line about them."""
        self.add(*cases)
        self.say(f"{title}: {_counts(cases)}")

    def close(self) -> int:
        """Prints what was skipped, what failed and the last line; gives the exit status."""
        for outcome, heading in ((Outcome.SKIPPED, "Skipped"), (Outcome.FAILED, "Failed")):
            chosen = [case for case in self._cases if case.outcome is outcome]
            if chosen:
                print(f"\n{heading}:")
            for case in chosen:
                reason = f": {_one_line(case.detail)}" if outcome is Outcome.SKIPPED else ""
                print(f"  {case.name}{reason}")
        if not self._cases:
            print("\nNothing was checked: --only matches no name.")
        count = {outcome: self._count(outcome) for outcome in Outcome}
        print(f"{count[Outcome.PASSED]} passed, {count[Outcome.FAILED]} failed, "
              f"{count[Outcome.SKIPPED]} skipped", flush=True)
        return 1 if count[Outcome.FAILED] or not self._cases else 0

    def _count(self, outcome: Outcome) -> int:
        return sum(case.outcome is outcome for case in self._cases)


def verdict(name: str, problem: str) -> Case:
    """Passed if there is no problem to tell."""
    return Case(name, Outcome.FAILED if problem else Outcome.PASSED, problem)


def _counts(cases: list[Case]) -> str:
    counts = ((outcome, sum(case.outcome is outcome for case in cases)) for outcome in Outcome)
    return ", ".join(f"{count} {outcome.value}" for outcome, count in counts if count) or "nothing"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().splitlines())


def _one_line(text: str) -> str:
    return " ".join(text.split())
