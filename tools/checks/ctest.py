"""What tests a build directory has, asked of ctest, and how to run one on this machine."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import tempfile
from concurrent.futures import Executor
from pathlib import Path

from checks.googletest import cases_of
from checks.report import Case, Outcome

DEFAULT_TIMEOUT = 300.0


@dataclasses.dataclass(frozen=True)
class Test:
    name: str
    command: list[str]  # Empty if the binary is not built.
    labels: list[str]
    environment: dict[str, str]
    directory: Path
    timeout: float


def discover(build: Path) -> list[Test]:
    listing = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"],
                             capture_output=True, text=True, check=True)
    tests = []
    for entry in json.loads(listing.stdout)["tests"]:
        properties = {item["name"]: item["value"] for item in entry.get("properties", [])}
        command = entry.get("command", [])
        if command and not Path(command[0]).exists():
            command = []
        tests.append(Test(
            name=entry["name"], command=command, labels=properties.get("LABELS", []),
            environment=dict(item.split("=", 1) for item in properties.get("ENVIRONMENT", [])),
            directory=Path(properties["WORKING_DIRECTORY"]),
            timeout=float(properties.get("TIMEOUT", DEFAULT_TIMEOUT))))
    return tests


def not_built(name: str) -> Case:
    return Case(name, Outcome.FAILED, "its binary is not built")


def run_in_parts(name: str, test: Test, pool: Executor, count: int) -> list[Case]:
    """Runs a test whose cases may run side by side, `count` processes with a share of them each."""
    shards = [dataclasses.replace(test, environment={**test.environment,
                                                     "GTEST_TOTAL_SHARDS": str(count),
                                                     "GTEST_SHARD_INDEX": str(index)})
              for index in range(count)]
    return [case for cases in pool.map(lambda shard: run_here(name, shard), shards)
            for case in cases]


def run_here(name: str, test: Test) -> list[Case]:
    """Runs `test` on this machine, in its own process group, which is gone afterwards."""
    if not test.command:
        return [not_built(name)]
    with tempfile.TemporaryDirectory(prefix="palyra-test-") as scratch:
        results = Path(scratch) / "results.json"
        # Into a file: a process that a test leaves behind would hold a pipe open.
        with (Path(scratch) / "output").open("w+b") as output:
            environment = {**os.environ, **test.environment, "GTEST_OUTPUT": f"json:{results}",
                           "GTEST_COLOR": "no"}
            status = _run(test, environment, output.fileno())
            output.seek(0)
            text = output.read().decode(errors="replace")
        written = results.read_text() if results.exists() else None
    if status is None:
        return [Case(name, Outcome.FAILED, f"{text}\nno end after {test.timeout:g} s")]
    return cases_of(name, status, text, written)


def _run(test: Test, environment: dict[str, str], output: int) -> int | None:
    """The exit status, or None if the time was up."""
    process = subprocess.Popen(test.command, cwd=test.directory, env=environment,
                               stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                               start_new_session=True)
    try:
        return process.wait(test.timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
