"""Lint of the tree itself: formatting, scripts, who includes whom, paths of one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

from checks.report import Case, verdict

CLANG_FORMAT = "clang-format-19"

# Whom a folder may include, besides itself. tests/ and bench/ may include everything.
MAY_INCLUDE = {
    "base": set(),
    "bpf": set(),
    "policy": {"base"},
    "vault": {"base"},
    "identity": {"base"},
    "broker": {"base", "policy"},
    "engine": {"base", "policy", "bpf"},
    "daemon": {"base", "engine", "vault", "identity", "policy", "api"},
    "cli": {"base", "engine", "vault", "identity", "policy", "api", "broker", "daemon"},
}
FOLDERS = {*MAY_INCLUDE, "api", "tests", "bench"}
# Of bpf/, C++ sees the shared header and what is generated from the programs.
SHARED_HEADER = "bpf/abi.h"
RULE_SET = "policy/rule_set.h"

# Top-level directories that every Linux has: no path below them gives a workplace away.
STANDARD_DIRECTORIES = {"bin", "boot", "dev", "etc", "home", "lib", "lib64", "media", "mnt", "opt",
                        "proc", "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}


def tree(top: Path) -> list[str]:
    """Every file of the tree that git knows or would add, relative to `top`."""
    listing = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=top,
                             capture_output=True, text=True, check=True)
    return sorted({name for name in listing.stdout.split("\0") if name and (top / name).is_file()})


def check_format(top: Path, files: Iterable[str], pool: Executor) -> list[Case]:
    def check(name: str) -> Case:
        result = subprocess.run([CLANG_FORMAT, "--dry-run", "-Werror", name], cwd=top,
                                capture_output=True, text=True, check=False)
        problem = f"{result.stderr}run: {CLANG_FORMAT} -i {name}" if result.returncode else ""
        return verdict(f"lint/format/{name}", problem)
    return list(pool.map(check, (name for name in files if re.search(r"\.(cc|h|c)$", name))))


def check_scripts(top: Path, files: Iterable[str]) -> list[Case]:
    return [verdict(f"lint/script/{name}", _script_problem(top / name))
            for name in files if _interpreter(top / name)]


def _interpreter(path: Path) -> str:
    """bash, sh or python3, by the first line; "" for all else."""
    with path.open("rb") as file:
        first = file.readline(80).decode(errors="replace")
    found = re.match(r"#!.*\b(bash|sh|python3)\s*$", first)
    return found[1] if found else "python3" if path.suffix == ".py" else ""


def _script_problem(path: Path) -> str:
    if _interpreter(path) != "python3":
        return subprocess.run(["bash", "-n", path], capture_output=True, text=True,
                              check=False).stderr
    try:
        ast.parse(path.read_text(), str(path))
    except SyntaxError as error:
        return f"{path}:{error.lineno}: {error.msg}"
    return ""


def check_includes(top: Path, files: Iterable[str]) -> list[Case]:
    """The direction of dependencies, one case a folder, and who may know both halves."""
    problems: dict[str, list[str]] = {}
    knows_both = []
    for name in files:
        folder = name.split("/")[0]
        if folder not in MAY_INCLUDE or not re.search(r"\.(cc|h|c)$", name):
            continue
        included = _includes(top / name)
        problems.setdefault(folder, []).extend(
            f'{name} includes "{header}": {folder}/ may not know it'
            for header in included if not _is_allowed(top, folder, header))
        if folder == "engine" and {RULE_SET, SHARED_HEADER} <= included:
            knows_both.append(name)
    cases = [verdict(f"lint/layers/{folder}", "\n".join(found))
             for folder, found in sorted(problems.items())]
    problem = ""
    if len(knows_both) > 1:
        problem = f"more than one file includes {RULE_SET} and {SHARED_HEADER}: {knows_both}"
    return [*cases, verdict("lint/layers/rule upload", problem)]


def _includes(path: Path) -> set[str]:
    found = re.findall(r'^\s*#\s*include\s*["<]([^">]+)[">]', path.read_text(), re.MULTILINE)
    return set(found)


def _is_allowed(top: Path, folder: str, header: str) -> bool:
    target = header.split("/")[0]
    if target not in FOLDERS or target == folder or not _is_ours(top, header):
        return True
    if folder != "bpf" and target == "bpf" and (top / header).exists() and header != SHARED_HEADER:
        return False
    return target in MAY_INCLUDE[folder]


def _is_ours(top: Path, header: str) -> bool:
    """libbpf's headers are <bpf/…> too; ours are in the tree or generated from it."""
    return (top / header).exists() or header.endswith(".skel.h") or not header.startswith("bpf/")


def check_paths(top: Path, files: Iterable[str]) -> list[Case]:
    """No file names the directory that this tree happens to lie in."""
    places = [place for place in (top, *top.parents)
              if str(place) != "/" and not (len(place.parts) == 2
                                            and place.name in STANDARD_DIRECTORIES)]
    if not places:
        return []
    pattern = re.compile("|".join(rf"(?<![\w.$}}]){re.escape(str(place))}\b" for place in places))
    problems = []
    for name in files:
        text = (top / name).read_bytes().decode(errors="replace")
        problems += [f"{name}:{number}: {line.strip()}"
                     for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
    return [verdict("lint/paths", "\n".join(problems))]
