"""The store among processes: two at once, one killed, one whose disk is full, one that may open no socket."""

import hashlib
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from compoundnet.weights.store import Store, check

from .loopback import Served, serving, size

DATA = random.Random(4).randbytes(1 << 20)
SHA = hashlib.sha256(DATA).hexdigest()
FETCH = """
import json, sys
from pathlib import Path
from compoundnet.weights import CheckpointError
from compoundnet.weights.store import Access, Store, Wanted, fetch
root, url, sha256, mirror = sys.argv[1:5]
wanted = Wanted(name="b0", file="b0.pth", url=url, sha256=sha256)
say = lambda line: print(line, file=sys.stderr, flush=True)
try:
    found = fetch(wanted, store=Store(Path(root)), how=Access(pause=0.01, mirror=mirror), say=say)
except CheckpointError as error:
    sys.exit(str(error))
print(json.dumps({"new": found.new, "path": str(found.path)}))
"""
# Python tells a hook of every socket that is made and every name that is looked up.
NO_SOCKET = """
import sys
def hook(event, arguments):
    if event in ("socket.__new__", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise RuntimeError(f"{event}: a socket was opened")
sys.addaudithook(hook)
"""
FULL = """
import resource, signal
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
"""


@pytest.fixture
def served() -> Iterator[Served]:
    with serving({"/b0.pth": DATA}) as found:
        yield found


def started(served: Served, root: Path, before: str = "", mirror: str = "") -> subprocess.Popen[str]:
    url = f"{served.url}/b0.pth"
    command = [sys.executable, "-c", before + FETCH, str(root), url, SHA, mirror]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, json.loads(out or "{}"), err


def until(holds: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_of_two_processes_one_fetches_and_the_other_finds_its_file(served: Served, tmp_path: Path) -> None:
    served.drip = 0.02
    both = [started(served, tmp_path) for _ in range(2)]
    (code, one, err), (other_code, other, other_err) = map(ended, both)
    assert (code, other_code) == (0, 0), err + other_err
    assert sorted([one["new"], other["new"]]) == [False, True]
    assert one["path"] == other["path"]
    assert Path(one["path"]).read_bytes() == DATA
    assert "another process is at it" in err + other_err
    assert served.sent == len(DATA)
    assert len(served.asked) == 1


def test_what_a_killed_process_had_is_gone_on_with(served: Served, tmp_path: Path) -> None:
    served.drip = 0.05
    process = started(served, tmp_path)
    until(lambda: size(tmp_path / "parts") > 200_000)
    process.send_signal(signal.SIGKILL)
    assert ended(process)[0] == -signal.SIGKILL
    store = Store(tmp_path)
    assert store.blobs() == []
    served.drip = 0
    code, found, err = ended(started(served, tmp_path))
    assert code == 0, err
    assert Path(found["path"]).read_bytes() == DATA
    _, second = served.ranges_asked()
    there = re.fullmatch(r"bytes=(\d+)-", second)
    assert there is not None
    assert int(there[1]) >= 200_000
    assert [each.state for each in check(store)] == ["fine"]
    assert size(tmp_path / "parts") == 0


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_full_disk_leaves_nothing_half(served: Served, tmp_path: Path, mirrored: bool) -> None:
    """The system lets the process write no file beyond 400,000 bytes."""
    mirror = ""
    if mirrored:
        (tmp_path / "mirror").mkdir()
        (tmp_path / "mirror/b0.pth").write_bytes(DATA)
        mirror = (tmp_path / "mirror").as_uri()
    root = tmp_path / "store"
    code, _, err = ended(started(served, root, FULL, mirror))
    assert code == 1
    assert re.fullmatch(r"b0\.pth: the disk is full: 1,048,576 bytes are needed and [\d,]+ are free in .*\n", err)
    assert "COMPOUNDNET_CACHE" in err
    assert size(root / "parts") == 0
    assert Store(root).blobs() == []
    assert ended(started(served, root))[0] == 0


def test_a_disk_without_room_is_noticed_before_anything_is_written(served: Served, tmp_path: Path) -> None:
    served.headers = {"Content-Length": str(10**15)}
    served.sized = False
    code, _, err = ended(started(served, tmp_path))
    assert code == 1
    assert "has more than 16,000,000,000 bytes, the limit" in err
    served.headers = {"Content-Length": str(15 * 10**9)}
    room = "import shutil, collections; U = collections.namedtuple('U', 'total used free'); "
    room += "shutil.disk_usage = lambda path: U(9, 8, 1)\n"
    code, _, err = ended(started(served, tmp_path, room))
    assert code == 1
    assert "15,000,000,000 bytes are needed and 1 are free" in err
    assert size(tmp_path / "parts") < 1000


def test_no_socket_is_opened_offline(tmp_path: Path) -> None:
    command = "import sys; from compoundnet.cli import main; sys.exit(main(sys.argv[1:]))"
    environ = {"COMPOUNDNET_CACHE": str(tmp_path), "COMPOUNDNET_OFFLINE": "1", "PATH": "", "HOME": str(tmp_path)}
    environ["PYTHONPATH"] = ":".join(sys.path)
    names = [
        "hf://timm/efficientnet_b0.ra_in1k/model.safetensors",
        "efficientnet_b1.torchvision.imagenet1k_v2",
        "http://[::1]/x.pth",
    ]

    def run(*names: str, **changes: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", NO_SOCKET + command, "weights", "fetch", *names]
        return subprocess.run(words, env={**environ, **changes}, capture_output=True, text=True, check=False)

    done = run(*names)
    lines = done.stderr.splitlines()
    assert done.returncode == 1
    assert len(lines) == 4
    for line, file in zip(lines, ("model.safetensors", "efficientnet_b1-c27df63c.pth", "x.pth"), strict=False):
        assert f"not in the store, and COMPOUNDNET_OFFLINE is set; bring {file}" in line
        assert "compoundnet weights import FILE" in line
    assert "a socket was opened" in run(names[-1], COMPOUNDNET_OFFLINE="0").stderr


def test_two_processes_that_lock_at_once_lose_no_entry(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from compoundnet.weights.store import Store, Stored, add_to_lock
root, who = Path(sys.argv[1]), sys.argv[2]
for k in range(20):
    stored = Stored(name=f"{who}{k}", file="x.pth", sha256="0" * 64, bytes=1)
    add_to_lock(root / "weights.lock", [stored], Store(root / "store"))
"""
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), who]) for who in "ab"]
    assert [each.wait(60) for each in both] == [0, 0]
    names = json.loads((tmp_path / "weights.lock").read_text())["weights"]
    assert set(names) == {f"{who}{k}" for who in "ab" for k in range(20)}
