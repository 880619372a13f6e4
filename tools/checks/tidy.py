"""clang-tidy on every C++ file of a build, each once for each content.

A file that passed is not looked at again until it, one of the files of ours that it includes, its
compiler command, a .clang-tidy or clang-tidy itself changes; not in another clone either.

Most of clang-tidy's time goes to the headers of the system, so files of one folder are looked at
together, as one text. What is not content with such a text, a name that two of its files have for
themselves included, is asked again about halves of it, in the end about each file as it is.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import shlex
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import Executor, as_completed
from pathlib import Path

from checks.report import Case, Report, verdict

CLANG_TIDY = "clang-tidy-19"
CLANG = "clang-19"
SETTINGS_ARE_BROKEN = "Error parsing"
SETTINGS = ".clang-tidy"
MOST_TOGETHER = 6
ARGUMENTS_OF_ONE_FILE = ("-o", "-MT", "-MF", "-c")


class Tidy:
    """The translation units of `build` that lie in `files`; `cache` remembers what passed."""

    def __init__(self, top: Path, build: Path, files: list[str], cache: Path) -> None:
        self._top = top
        self._build = build
        self._cache = cache
        commands = json.loads((build / "compile_commands.json").read_text())
        wanted = {str(top / name): name for name in files}
        self._units = {wanted[entry["file"]]: entry for entry in commands
                       if entry["file"] in wanted and entry["file"].endswith(".cc")}
        self._dependencies = _dependencies(build)
        version = subprocess.run([CLANG_TIDY, "--version"], capture_output=True, text=True,
                                 check=True).stdout
        settings = sorted(name for name in files if Path(name).name == SETTINGS)
        self._common = version + "".join((top / name).read_text() for name in settings)
        self._together = build / "tidy"
        shutil.rmtree(self._together, ignore_errors=True)
        for name in settings:
            copy = self._together / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(top / name, copy)

    def check(self, pool: Executor, report: Report) -> None:
        """Reports every file as soon as it is known."""
        names = [name for name in self._units if report.wants(f"lint/tidy/{name}")]
        unknown = []
        for name in names:
            kept = self._kept(name)
            if kept and kept.exists():
                report.add(verdict(f"lint/tidy/{name}", ""))
            else:
                unknown.append(name)
        done = len(names) - len(unknown)
        running = [pool.submit(self._check, group) for group in self._groups(unknown)]
        for future in as_completed(running):
            for case in future.result():
                report.add(case)
                done += 1
            report.say(f"lint/tidy: {done} of {len(names)}")

    def _groups(self, names: list[str]) -> Iterator[list[str]]:
        """Files of one folder that are compiled in the same way."""
        alike = defaultdict(list)
        for name in names:
            alike[(str(Path(name).parent), *self._arguments(name))].append(name)
        for group in alike.values():
            for first in range(0, len(group), MOST_TOGETHER):
                yield group[first:first + MOST_TOGETHER]

    def _arguments(self, name: str) -> list[str]:
        """What the compiler is given, without the names of the file's own inputs and outputs."""
        words = shlex.split(self._units[name]["command"])
        compiler = next(i for i, word in enumerate(words) if word.endswith("++"))
        return [word for before, word in zip(words[compiler:], words[compiler + 1:])
                if word not in ARGUMENTS_OF_ONE_FILE and before not in ARGUMENTS_OF_ONE_FILE]

    def _check(self, names: list[str]) -> list[Case]:
        problem = self._look_at(names)
        if problem and len(names) > 1:
            half = len(names) // 2
            return self._check(names[:half]) + self._check(names[half:])
        if not problem:
            for name in names:
                kept = self._kept(name)
                if kept:
                    kept.touch()
        return [verdict(f"lint/tidy/{name}", problem) for name in names]

    def _look_at(self, names: list[str]) -> str:
        """What is to be said against them; "" if nothing is."""
        if len(names) == 1:
            return self._run([self._top / names[0], "-p", self._build])
        text = self._together / names[0]
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(self._joined(names))
        arguments = self._arguments(names[0])
        parses = subprocess.run([CLANG, "-fsyntax-only", "-w", *arguments, text], cwd=self._build,
                                capture_output=True, check=False).returncode == 0
        return self._run([text, "--", *arguments]) if parses else "they do not go together"

    def _joined(self, names: list[str]) -> str:
        """Their texts, one after the other; what one includes is not included by the next."""
        parts = []
        included: set[str] = set()
        for name in names:
            lines = (self._top / name).read_text().splitlines()
            parts.append(f'#line 1 "{self._top / name}"')
            parts += ["" if line in included else line for line in lines]
            included.update(line for line in lines if line.startswith("#include "))
        return "\n".join([*parts, ""])

    def _run(self, arguments: list[str | Path]) -> str:
        result = subprocess.run([CLANG_TIDY, "--quiet", *arguments], cwd=self._build,
                                capture_output=True, text=True, check=False)
        # With settings that it cannot read, clang-tidy says so, uses its own and is content.
        if result.returncode == 0 and SETTINGS_ARE_BROKEN not in result.stderr:
            return ""
        return result.stdout or result.stderr or "it failed"

    def _kept(self, name: str) -> Path | None:
        """The file that says that this very content passed; None if its includes are unknown."""
        unit = self._units[name]
        output = re.search(r" -o (\S+)", unit["command"])
        included = self._dependencies.get(output[1], []) if output else []
        if not included:
            return None
        identities = "\n".join(sorted(_identity(self._build / path) for path in included))
        text = f"{self._common}\n{unit['command']}\n{identities}".replace(str(self._top), "")
        return self._cache / hashlib.sha256(text.encode()).hexdigest()


def _dependencies(build: Path) -> dict[str, list[str]]:
    """Object file -> everything it was compiled from, as ninja has noted it."""
    listing = subprocess.run(["ninja", "-C", build, "-t", "deps"], capture_output=True, text=True,
                             check=True).stdout
    blocks = re.findall(r"^(\S.*?): #deps.*\(VALID\)\n((?:    .*\n)*)", listing, re.MULTILINE)
    return {output: [line.strip() for line in paths.splitlines()] for output, paths in blocks}


@functools.cache
def _identity(path: Path) -> str:
    """By content; the many headers of the system by size and time."""
    status = path.stat()
    if path.is_relative_to("/usr"):
        return f"{path} {status.st_size} {status.st_mtime_ns}"
    return f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}"
