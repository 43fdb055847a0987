"""The command as a process: its exit codes, pipes that close, a full disk, a narrow terminal, progress."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from compoundnet.cli.progress import EVERY_SECONDS, _lines

from .commands import installed


def test_the_tables_are_whole_on_a_narrow_terminal() -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": "30", "TERM": "xterm"}
    command = [sys.executable, "-m", "compoundnet", "models", "efficientnet_b*"]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment)
    assert process.wait(60) == 0
    os.close(theirs)
    text = os.read(ours, 100_000).decode()
    os.close(ours)
    for name in ("efficientnet_b0", "5,288,548", "385,814,752", "66,347,960", "600 x 600"):
        assert name in text


def test_a_network_comes_through_a_pipe() -> None:
    scaled = installed("scale", "tiny", "--phi", "1", "--json")
    piped = installed("cost", "-", "--json", input=scaled.stdout)
    assert piped.returncode == 0
    figures = json.loads(piped.stdout)
    assert {name: figures[name] for name in json.loads(scaled.stdout)["cost"]} == json.loads(scaled.stdout)["cost"]


def test_progress_is_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    on_done = _lines("pictures", lambda: now[0])
    for done in range(1, 31):
        now[0] = float(done)
        on_done(done, 30)
    assert capsys.readouterr().err.splitlines() == [
        f"compoundnet: {done} of 30 pictures, about {30 - done} s left"
        for done in range(int(EVERY_SECONDS), 30, int(EVERY_SECONDS))
    ]


def test_the_installed_command_exits_with_the_code() -> None:
    assert installed("show", "tiny").returncode == 0
    wrong = installed("show", "tyni")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr == "compoundnet: error: unknown network 'tyni'; did you mean tiny? a JSON file is read too\n"


def test_a_reader_that_leaves_causes_no_traceback() -> None:
    command = [sys.executable, "-m", "compoundnet", "cost", "efficientnet_l2", "--by", "layer"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    with process.stderr as file:
        assert file.read() == b""
    assert process.wait(60) == 141


def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "compoundnet", "cost", "tiny"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr.startswith("compoundnet: error: No space left on device\n")
    assert "Traceback" not in done.stderr
