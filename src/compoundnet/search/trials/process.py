"""Which process a worker is, so that others on the same machine know at once that it is gone."""

import os
import socket
from pathlib import Path


def myself() -> str:
    """Host, process number, start and place: this boot of this machine and its process numbers, - where unknown."""
    start = _started(os.getpid())
    place = _place() if start else ""
    return " ".join((socket.gethostname().replace(" ", "-"), str(os.getpid()), start or "-", place or "-"))


def spoken(worker: str) -> str:
    """As people read it: host and process number."""
    return ":".join(worker.split(" ")[:2])


def is_gone(worker: str) -> bool:
    """Whether it surely ended. False also where that cannot be seen from here: another machine, another system."""
    parts = worker.split(" ")
    if len(parts) != 4 or parts[3] in ("-", "") or parts[3] != _place() or not parts[1].isdecimal():
        return False
    return _started(int(parts[1])) != parts[2]


def _place() -> str:
    """The boot and the process numbers' namespace: a container's own numbers mean nothing outside."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a process began, in ticks since the boot; "" for one that is not there, or is dead and only unburied."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
