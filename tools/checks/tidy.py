"""clang-tidy on every C++ file of a build, each once for each content.

A file that passed is not looked at again until it, one of the files of ours that it includes, its
compiler command, a .clang-tidy or clang-tidy itself changes; not in another clone either.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
import subprocess
from concurrent.futures import Executor, as_completed
from pathlib import Path

from checks.report import Case, Report, verdict

CLANG_TIDY = "clang-tidy-19"
SETTINGS_ARE_BROKEN = "Error parsing"


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
        settings = sorted(name for name in files if Path(name).name == ".clang-tidy")
        self._common = version + "".join((top / name).read_text() for name in settings)

    def check(self, pool: Executor, report: Report) -> None:
        """Reports every file as soon as it is known."""
        names = [name for name in self._units if report.wants(f"lint/tidy/{name}")]
        running = [pool.submit(self._check_one, name) for name in names]
        for done, future in enumerate(as_completed(running), 1):
            case, looked = future.result()
            report.add(case)
            if looked or done == len(names):
                report.say(f"lint/tidy: {done} of {len(names)}")

    def _check_one(self, name: str) -> tuple[Case, bool]:
        """The case, and whether clang-tidy had to look."""
        kept = self._kept(name)
        if kept and kept.exists():
            return verdict(f"lint/tidy/{name}", ""), False
        result = subprocess.run([CLANG_TIDY, "--quiet", "-p", self._build, self._top / name],
                                cwd=self._top, capture_output=True, text=True, check=False)
        # With settings that it cannot read, clang-tidy says so, uses its own and is content.
        if result.returncode == 0 and SETTINGS_ARE_BROKEN not in result.stderr:
            if kept:
                kept.touch()
            return verdict(f"lint/tidy/{name}", ""), True
        return verdict(f"lint/tidy/{name}", result.stdout or result.stderr or "it failed"), True

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
