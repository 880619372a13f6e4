"""One boot of a kernel in QEMU, in software: no acceleration, no network, no disk.

The guest speaks through serial ports whose other ends are sockets of ours: the console, and one
port each for stdout, stderr and the exit status, so that bytes arrive as they were written.
"""

from __future__ import annotations

import dataclasses
import re
import selectors
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

QEMU = "qemu-system-x86_64"
CHANNELS = ("console", "stdout", "stderr", "status")
# lsm=: BPF programs are asked, and Landlock and Yama, as on an ordinary system. A panic or an oops
# ends the machine at once, and QEMU with it.
KERNEL_OPTIONS = ("console=ttyS0 panic=-1 oops=panic mitigations=off random.trust_cpu=on "
                  "lsm=lockdown,yama,landlock,bpf")
POWER_OFF_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Outcome:
    status: int | None  # The command's exit status; None if the guest never told.
    timed_out: bool
    console: str
    qemu_message: str

    def failure(self, timeout: float) -> str:
        """One sentence about why there is no status."""
        if self.timed_out:
            return f"no end after {timeout:g} s; the console's last line: {self._last_line()}"
        panic = re.search(r"Kernel panic - .*", self.console)
        if panic:
            return f"the kernel panicked: {panic[0].strip()}"
        if self.qemu_message:
            return f"QEMU failed: {self.qemu_message.strip().splitlines()[-1]}"
        return f"the machine ended before the command did; its last line: {self._last_line()}"

    def _last_line(self) -> str:
        lines = self.console.strip().splitlines()
        return f'"{lines[-1].strip()}"' if lines else "none, the kernel said nothing"


def qemu_is_installed() -> bool:
    return shutil.which(QEMU) is not None


def boot(vmlinuz: Path, image: Path, timeout: float, verbose: bool, counts: bool,
         on_output: Callable[[str, bytes], None]) -> Outcome:
    """Boots and waits for the end. `on_output` gets (channel, bytes) of every channel as they come.
    If it `counts`, a nanosecond of the guest's clocks is an instruction of its one processor.

    Ends the QEMU that it started, whatever happens, and no other.
    """
    ours: dict[str, socket.socket] = {}
    theirs: dict[str, socket.socket] = {}
    for channel in CHANNELS:
        ours[channel], theirs[channel] = socket.socketpair()
    process = subprocess.Popen(
        _command_line(vmlinuz, image, verbose, counts,
                      {name: end.fileno() for name, end in theirs.items()}),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        pass_fds=[end.fileno() for end in theirs.values()], start_new_session=True)
    try:
        for end in theirs.values():
            end.close()
        received, timed_out = _listen(ours, timeout, on_output)
        return _outcome(process, received, timed_out)
    finally:
        process.kill()
        process.communicate()
        for end in ours.values():
            end.close()


def _command_line(vmlinuz: Path, image: Path, verbose: bool, counts: bool,
                  sockets: dict[str, int]) -> list[str]:
    append = KERNEL_OPTIONS if verbose else f"{KERNEL_OPTIONS} quiet"
    processors = ["-accel", "tcg,thread=multi", "-smp", "2"]
    if counts:
        processors = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1"]
    # Should this process be killed, its QEMU goes with it.
    line = ["setpriv", "--pdeathsig", "KILL", QEMU, *processors, "-machine", "q35", "-cpu", "max",
            "-m", "1G", "-nodefaults", "-no-user-config", "-nographic", "-no-reboot",
            "-kernel", str(vmlinuz), "-initrd", str(image), "-append", append,
            "-device", "virtio-serial-pci"]
    for channel, descriptor in sockets.items():
        line += ["-chardev", f"socket,id={channel},fd={descriptor}"]
        if channel == "console":
            line += ["-serial", "chardev:console"]
        else:
            line += ["-device", f"virtserialport,chardev={channel},name={channel}"]
    return line


def _listen(channels: dict[str, socket.socket], timeout: float,
            on_output: Callable[[str, bytes], None]) -> tuple[dict[str, bytearray], bool]:
    """Reads until every channel has ended; keeps the two that the outcome is made of."""
    received = {"console": bytearray(), "status": bytearray()}
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for name, channel in channels.items():
            selector.register(channel, selectors.EVENT_READ, name)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return received, not received["status"]
            for key, _ in selector.select(left):
                data = channels[key.data].recv(65536)
                if not data:
                    selector.unregister(key.fileobj)
                    continue
                if key.data in received:
                    received[key.data] += data
                if received["status"]:
                    deadline = min(deadline, time.monotonic() + POWER_OFF_SECONDS)
                on_output(key.data, data)
    return received, False


def _outcome(process: subprocess.Popen[bytes], received: dict[str, bytearray],
             timed_out: bool) -> Outcome:
    message = b""
    if not timed_out:
        process.wait(POWER_OFF_SECONDS)
        assert process.stderr is not None
        message = process.stderr.read()
    status = received["status"].decode(errors="replace").strip()
    return Outcome(status=int(status) if status.isdigit() else None, timed_out=timed_out,
                   console=received["console"].decode(errors="replace"),
                   qemu_message=message.decode(errors="replace"))
