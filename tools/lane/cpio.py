"""Archives in the "newc" format of cpio(5), which the kernel unpacks as its first root file system.

Everything belongs to root. Several archives may follow each other; later files win.
"""

from __future__ import annotations

import stat
from typing import BinaryIO


class Archive:
    """Writes one archive; parents are made as they are needed. Paths have no leading slash."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._inode = 0
        self._directories: set[str] = set()

    def add_directory(self, path: str, mode: int = 0o755) -> None:
        if path in self._directories or not path:
            return
        self._add_parents(path)
        self._directories.add(path)
        self._write_entry(path, stat.S_IFDIR | mode, b"")

    def add_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        self._add_parents(path)
        self._write_entry(path, stat.S_IFREG | mode, content)

    def add_symlink(self, path: str, target: str) -> None:
        self._add_parents(path)
        self._write_entry(path, stat.S_IFLNK | 0o777, target.encode())

    def close(self) -> None:
        """Ends the archive. The kernel wants each one to start on a multiple of four bytes."""
        self._write_entry("TRAILER!!!", 0, b"")

    def _add_parents(self, path: str) -> None:
        parent = path.rpartition("/")[0]
        if parent:
            self.add_directory(parent)

    def _write_entry(self, path: str, mode: int, content: bytes) -> None:
        self._inode += 1
        name = path.encode(errors="surrogateescape") + b"\0"
        # ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self._write_padded(header + name)
        self._write_padded(content)

    def _write_padded(self, data: bytes) -> None:
        self._output.write(data)
        self._output.write(b"\0" * (-len(data) % 4))
