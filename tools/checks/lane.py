"""The tests labelled `kernel-lane` in one booted kernel: one boot runs them all.

A script in the guest runs one after the other and frames what each prints and writes with lines
that begin with a word nobody can guess; this side reads them as they come.
"""

from __future__ import annotations

import dataclasses
import secrets
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from checks.ctest import Test, not_built
from checks.googletest import cases_of
from checks.report import Case, Outcome, Report

LABEL = "kernel-lane"
BOOT_SECONDS = 1500
TIME_IS_UP = 143  # What busybox's timeout gives, and a test that ends itself by SIGTERM.
GUEST_SCRIPT = "/lane/tests"
# Directories of data that tests open by their place in the tree; below the top unless absolute.
DATA = ("docs", "examples")


@dataclasses.dataclass
class Answer:
    output: str
    status: int
    results: str | None


def run(top: Path, build: Path, kernel: str, tests: list[Test], report: Report) -> None:
    names = {f"{kernel}/{test.name}": test for test in tests}
    waiting = {name: test for name, test in names.items() if report.wants(name)}
    for name, test in list(waiting.items()):
        if not test.command:
            report.add(not_built(name))
            del waiting[name]
    if not waiting:
        return
    report.say(f"{kernel}: booting")
    word = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="palyra-test-") as scratch:
        script = Path(scratch) / "tests"
        script.write_text(_guest_script(word, waiting))
        with (Path(scratch) / "stderr").open("w+b") as errors:
            process = subprocess.Popen(_boot_command(top, build, kernel, script),
                                       stdout=subprocess.PIPE, stderr=errors)
            assert process.stdout is not None
            cut_off = _collect(process.stdout, word, waiting, report)
            process.wait()
            errors.seek(0)
            message = errors.read().decode(errors="replace").strip()
    for number, name in enumerate(waiting):
        said = "the machine was gone before its turn" if number else cut_off
        report.add(Case(name, Outcome.FAILED, f"{said}\n{message}"))


def _collect(stream: IO[bytes], word: str, waiting: dict[str, Test], report: Report) -> str:
    """Reports every test whose answer is whole and takes it out of `waiting`.

    Gives what the test printed during which the stream ended.
    """
    numbered = list(waiting)
    for number, answer in _answers(stream, word):
        if number is None:
            return answer.output
        name = numbered[number]
        if answer.status == TIME_IS_UP:
            answer.output += f"\nits time was {waiting[name].timeout:g} s"
        del waiting[name]
        report.add_group(name, cases_of(name, answer.status, answer.output, answer.results))
    return ""


def _answers(stream: IO[bytes], word: str) -> Iterator[tuple[int | None, Answer]]:
    """One for each test, with its number; the last has None if it is cut off."""
    printed: list[str] = []
    status, output = 0, ""
    for raw in stream:
        line = raw.decode(errors="replace").rstrip("\r\n")
        frame = line.split(" ") if line.startswith(word) else []
        match frame:
            case [_, "begin"]:
                printed = []
            case [_, "status", code]:
                status, output, printed = int(code), "\n".join(printed), []
            case [_, "end", number]:
                results = "\n".join(printed).strip()
                yield int(number), Answer(output, status, results or None)
                printed = []
            case _:
                printed.append(line)
    if printed:
        yield None, Answer("\n".join(printed), 0, None)


def _guest_script(word: str, tests: dict[str, Test]) -> str:
    lines = ["#!/bin/sh", "export GTEST_COLOR=no GTEST_OUTPUT=json:/tmp/results.json"]
    for number, test in enumerate(tests.values()):
        environment = shlex.join(f"{key}={value}" for key, value in test.environment.items())
        lines += [
            f"echo {word} begin",
            f"env {environment} timeout -k 5 {test.timeout:.0f} {shlex.join(test.command)} 2>&1",
            f"printf '\\n{word} status %s\\n' $?",
            "[ ! -e /tmp/results.json ] || cat /tmp/results.json",
            "rm -f /tmp/results.json",
            f"printf '\\n{word} end {number}\\n'",
        ]
    return "\n".join([*lines, ""])


def _boot_command(top: Path, build: Path, kernel: str, script: Path) -> list[str]:
    command = [str(top / "tools" / "run_in_kernel"), "--build", str(build),
               "--timeout", str(BOOT_SECONDS), "--file", f"{script}:{GUEST_SCRIPT}"]
    for data in (top / name for name in DATA):
        if data.is_dir():
            command += ["--file", f"{data}:{data}"]
    return [*command, kernel, "--", "sh", GUEST_SCRIPT]
