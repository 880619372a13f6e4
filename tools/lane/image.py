"""What the booted kernel finds in its root file system.

The image is two archives, one after the other: the base (busybox, a few tools, the kernel's
modules), which is kept between calls, and what changes: the built programs and the command.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shlex
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

from lane.cpio import Archive

LANE_DIR = Path(__file__).resolve().parent
TOOLS = ("bpftool", "ip", "bash")
TEXT_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\ntool:x:1000:1000:tool:/home/tool:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\ntty:x:5:\ntool:x:1000:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "etc/resolv.conf": "nameserver 127.0.0.53\n",
}
ENVIRONMENT = {
    "PATH": "/palyra/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PALYRA_KERNEL_LANE": "1",
    "PALYRA_REQUIRE_ALL_FEATURES": "1",
}


class LaneError(Exception):
    """One clear sentence about why a command cannot be run."""


@dataclasses.dataclass(frozen=True)
class Kernel:
    vmlinuz: Path
    modules: Path | None  # Holds .ko files and `order`, the names in the order of loading.


@dataclasses.dataclass(frozen=True)
class ExtraFile:
    source: Path
    destination: str  # Absolute, in the booted system.


def write_image(path: Path, kernel: Kernel, build: Path, extra: Iterable[ExtraFile],
                command: list[str], cache: Path) -> None:
    """Writes the whole image to `path`; `cache` keeps the base and stripped programs."""
    with path.open("wb") as output:
        output.write(_base(kernel, cache).read_bytes())
        archive = Archive(output)
        _add_build(archive, build, cache)
        for file in extra:
            _add_extra(archive, file)
        archive.add_file("lane/command", _command_script(command))
        archive.close()


def _base(kernel: Kernel, cache: Path) -> Path:
    inputs = [LANE_DIR / "init", LANE_DIR / "image.py", *(_host_tool(tool) for tool in TOOLS)]
    inputs += [_host_tool("busybox"), *(sorted(kernel.modules.iterdir()) if kernel.modules else [])]

    def make(scratch: Path) -> None:
        with scratch.open("wb") as output:
            _write_base(Archive(output), kernel)

    return _kept(cache, kernel.vmlinuz, inputs, make)


def _write_base(archive: Archive, kernel: Kernel) -> None:
    for directory in ("bin", "sbin", "lib", "lib64"):
        archive.add_directory(f"usr/{directory}")
        archive.add_symlink(directory, f"usr/{directory}")
    for directory in ("dev", "proc", "sys", "run", "mnt", "home", "root", "var/lib", "lane/modules",
                      "palyra"):
        archive.add_directory(directory)
    archive.add_directory("tmp", 0o1777)
    archive.add_directory("var/tmp", 0o1777)
    for name, text in TEXT_FILES.items():
        archive.add_file(name, text.encode())
    archive.add_file("init", (LANE_DIR / "init").read_bytes(), 0o755)
    _add_tools(archive)
    for module in sorted(kernel.modules.iterdir()) if kernel.modules else []:
        archive.add_file(f"lane/modules/{module.name}", module.read_bytes())
    if not kernel.modules:
        archive.add_file("lane/modules/order", b"")
    archive.close()


def _add_tools(archive: Archive) -> None:
    busybox = _host_tool("busybox")
    archive.add_file("usr/bin/busybox", busybox.read_bytes(), 0o755)
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in set(applets.stdout.split()) - {"busybox", *TOOLS}:
        archive.add_symlink(f"usr/bin/{applet}", "busybox")
    tools = [_host_tool(tool) for tool in TOOLS]
    for name, tool in zip(TOOLS, tools):
        archive.add_file(f"usr/bin/{name}", tool.read_bytes(), 0o755)
    _add_libraries(archive, tools)
    # Programs that name them by the path of a full system.
    for name in TOOLS:
        archive.add_symlink(f"usr/sbin/{name}", f"../bin/{name}")
    archive.add_symlink("usr/sbin/modprobe", "../bin/busybox")


def _add_build(archive: Archive, build: Path, cache: Path) -> None:
    programs = sorted(path for path in (build / "bin").rglob("*")
                      if path.is_file() and os.access(path, os.X_OK))
    for program in programs:
        relative = program.relative_to(build)
        archive.add_file(f"palyra/{relative}", _stripped(program, cache), 0o755)
    # Programs that were told their place at build time find it there.
    archive.add_symlink(str(build.resolve()).lstrip("/"), "/palyra")
    _add_libraries(archive, programs)


def _add_extra(archive: Archive, file: ExtraFile) -> None:
    """A file or a whole directory; programs bring their libraries."""
    if not file.source.exists():
        raise LaneError(f'no file "{file.source}"')
    sources = [path for path in sorted(file.source.rglob("*")) if path.is_file()]
    programs = []
    for source in sources if file.source.is_dir() else [file.source]:
        destination = Path(file.destination) / source.relative_to(file.source)
        content = source.read_bytes()
        archive.add_file(_archive_path(str(destination)), content,
                         stat.S_IMODE(source.stat().st_mode))
        if content.startswith(b"\x7fELF"):
            programs.append(source)
    _add_libraries(archive, programs)


def _add_libraries(archive: Archive, programs: list[Path]) -> None:
    """Every shared library and the loader that `programs` start with, by ldd(1)."""
    if not programs:
        return
    # A static program is not an error here, though ldd's exit status says so.
    listing = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False)
    missing = re.search(r"^\s*(\S+) => not found$", listing.stdout, re.MULTILINE)
    if missing:
        raise LaneError(f'a program needs the library "{missing[1]}", which is not on this machine')
    for library in sorted(set(re.findall(r"(/\S+) \(0x", listing.stdout))):
        archive.add_file(_archive_path(library), Path(library).read_bytes(), 0o755)


def _archive_path(path: str) -> str:
    """The place of `path` where /bin, /sbin, /lib and /lib64 are links into /usr."""
    return re.sub(r"^/(bin|sbin|lib|lib64)/", r"/usr/\1/", path).lstrip("/")


def _stripped(program: Path, cache: Path) -> bytes:
    """`program` without debug information, which is nine tenths of it."""
    def make(scratch: Path) -> None:
        result = subprocess.run(["strip", "--strip-debug", "-o", scratch, program],
                                capture_output=True, check=False)
        if result.returncode != 0:  # A script, not a program.
            shutil.copyfile(program, scratch)

    return _kept(cache, program, [program], make).read_bytes()


def _command_script(command: list[str]) -> bytes:
    lines = [f"export {name}={shlex.quote(value)}" for name, value in ENVIRONMENT.items()]
    lines += ["cd /palyra", "exec " + shlex.join(command), ""]
    return "\n".join(lines).encode(errors="surrogateescape")


def _host_tool(name: str) -> Path:
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise LaneError(f"{name} is not installed: run tools/setup")
    return Path(path).resolve()


def _kept(cache: Path, subject: Path, inputs: Iterable[Path],
          make: Callable[[Path], None]) -> Path:
    """The file that `make` writes for `subject`, from the cache while `inputs` are unchanged.

    It appears whole or not at all, also when two calls run at once.
    """
    place = _digest(str(subject.resolve()))
    stamps = ((path, path.stat()) for path in inputs)
    kept = cache / "-".join((place, _digest("\n".join(
        f"{path} {status.st_size} {status.st_mtime_ns}" for path, status in stamps))))
    if not kept.exists():
        for old in cache.glob(f"{place}-*"):
            old.unlink(missing_ok=True)
        scratch = cache / f"new-{place}.{os.getpid()}"
        make(scratch)
        scratch.rename(kept)
    return kept


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:16]
