"""Builds everything and runs every check there is.

    tools/test                    all of it
    tools/test --fast             without the kernels under emulation
    tools/test --only '^lint/'    what has a name that matches
    tools/test --only 6.12/       the tests of one kernel

In order: tools/setup, the release build, lint, unit tests under AddressSanitizer and
UndefinedBehaviorSanitizer, all tests on this machine, half a minute of tools/fuzz, then
the tests labelled kernel-lane in Linux 6.1 and 6.12 (tools/run_in_kernel). Each lint of a file and
each GoogleTest case counts as one. Nothing stops at the first failure. Exit status 1 if anything
failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from checks import ctest, lane, sources
from checks.report import Case, Outcome, Report, verdict
from checks.tidy import Tidy

TOP = Path(__file__).resolve().parents[2]
RELEASE = TOP / "build" / "release"
ASAN = TOP / "build" / "asan"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
TIDY_CACHE = CACHE / "palyra" / "tidy-passed"
KERNELS = ("6.1", "6.12")
FUZZ_MINUTES = "0.5"
FUZZ_CANNOT = 3  # What tools/fuzz gives where something that it needs is not installed.


def run_step(report: Report, name: str, command: list[str]) -> bool:
    """Runs a step that must work for the rest to mean something; a failure is a failed case."""
    report.say(name)
    result = subprocess.run(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    report.add(verdict(name, f"{result.stdout}\n{command} failed" if result.returncode else ""))
    return result.returncode == 0


def build(report: Report, preset: str, targets: list[str] | None = None) -> bool:
    """Builds as much as can be built; without targets, everything."""
    chosen = ["--target", *targets] if targets else []
    # ninja -k 0: go on where it can.
    return run_step(report, f"build/{preset}",
                    ["cmake", "--build", f"build/{preset}", "--parallel", str(processors()),
                     *chosen, "--", "-k", "0"])


def configure(report: Report, preset: str) -> bool:
    return run_step(report, f"configure/{preset}", ["cmake", "--preset", preset])


def lint(report: Report) -> None:
    files = sources.tree(TOP)
    with ThreadPoolExecutor(processors()) as pool:
        kinds = {
            "lint/format": lambda: sources.check_format(TOP, files, pool),
            "lint/script": lambda: sources.check_scripts(TOP, files),
            "lint/layers": lambda: sources.check_includes(TOP, files),
            "lint/paths": lambda: sources.check_paths(TOP, files),
        }
        for title, check in kinds.items():
            add_wanted(report, title, check())
        if (RELEASE / "compile_commands.json").exists():
            TIDY_CACHE.mkdir(parents=True, exist_ok=True)
            tidy = Tidy(TOP, RELEASE, files, TIDY_CACHE)
            tidy.check(pool, report)


def add_wanted(report: Report, title: str, cases: list[Case]) -> None:
    wanted = [case for case in cases if report.wants(case.name)]
    if wanted:
        report.add_group(title, wanted)


def run_sanitized(report: Report) -> None:
    """The unit tests: those that tests/unit declares."""
    if not configure(report, "asan"):
        return
    unit = ASAN / "tests" / "unit"
    wanted = [test.name for test in ctest.discover(ASAN)
              if test.directory.is_relative_to(unit) and report.wants(f"asan/{test.name}")]
    if not wanted:
        return
    build(report, "asan", wanted)
    with ThreadPoolExecutor(processors()) as pool:
        for test in ctest.discover(ASAN):
            if test.name not in wanted:
                continue
            name = f"asan/{test.name}"
            if lane.LABEL in test.labels:  # What it does to the kernel, it does alone.
                report.add_group(name, ctest.run_here(name, test))
            else:
                report.add_group(name, ctest.run_in_parts(name, test, pool, processors()))


def run_on_host(report: Report, tests: list[ctest.Test]) -> None:
    for test in tests:
        name = f"host/{test.name}"
        if report.wants(name):
            report.add_group(name, ctest.run_here(name, test))


def fuzz_beside_official(report: Report) -> None:
    """A short look at fresh cases, where node and the official implementation are there."""
    name = "fuzz/cedar"
    if not report.wants(name):
        return
    result = subprocess.run(["tools/fuzz", "cedar", "--minutes", FUZZ_MINUTES], cwd=TOP,
                            stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            errors="replace", check=False)
    if result.returncode == FUZZ_CANNOT:
        report.add_group(name, [Case(name, Outcome.SKIPPED, result.stderr)])
        return
    problem = f"{result.stdout}\n{result.stderr}" if result.returncode else ""
    report.add_group(name, [verdict(name, problem)])


def run_in_kernels(report: Report, tests: list[ctest.Test]) -> None:
    """All of them at once: most tests use one of the emulated processors, and wait a lot."""
    chosen = [test for test in tests if lane.LABEL in test.labels]
    with ThreadPoolExecutor(len(KERNELS)) as pool:
        for done in [pool.submit(lane.run, TOP, RELEASE, kernel, chosen, report)
                     for kernel in KERNELS]:
            done.result()


def stage(report: Report, name: str, work: Callable[[], None]) -> None:
    """A stage that breaks down is a failure, and the next one still gets its turn."""
    try:
        work()
    except Exception:  # pylint: disable=broad-except
        report.add(Case(name, Outcome.FAILED, traceback.format_exc()))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="test", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--fast", action="store_true", help="without the kernels under emulation")
    parser.add_argument("--only", metavar="REGEX", type=re.compile, default=re.compile(""),
                        help='names are like "lint/tidy/base/file.cc", "host/kernel_lane_test"')
    return parser.parse_args()


def processors() -> int:
    return len(os.sched_getaffinity(0))


def main() -> int:
    options = parse_arguments()
    report = Report(options.only)
    run_step(report, "setup", ["tools/setup"] if options.fast else ["tools/setup", "--kernels"])
    if not configure(report, "release"):
        return report.close()
    build(report, "release")
    stage(report, "lint", lambda: lint(report))
    stage(report, "asan", lambda: run_sanitized(report))
    stage(report, "host", lambda: run_on_host(report, ctest.discover(RELEASE)))
    stage(report, "fuzz", lambda: fuzz_beside_official(report))
    if not options.fast:
        stage(report, "kernels", lambda: run_in_kernels(report, ctest.discover(RELEASE)))
    return report.close()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
