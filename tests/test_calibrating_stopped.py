"""calibrate, stopped: what was measured is kept, and goes on with the same settings only."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compoundnet.calibrating import Plan, calibrate
from compoundnet.calibrating.clocking import Clocked
from compoundnet.calibrating.raw import Raw
from compoundnet.schema import encode
from tests.commands import Run, run

__all__ = ["run"]  # a fixture
TINY = Plan(
    engine="torch", count=22, whole=1, held_out=2, passes=2, rounds=1, most_drift=1000.0
)  # tests may run on a busy machine


def settings(**plan: object) -> dict[str, object]:
    return {"plan": {"engine": "torch", **plan}, "cpu": "one", "engine_version": "1"}


SCRIPT = """
import os, signal, sys
from pathlib import Path
from compoundnet.calibrating import Plan, calibrate
plan = Plan(engine="torch", count=22, whole=1, held_out=2, passes=2, rounds=1, most_drift=1000.0)
def on_done(done, total):
    print(done, total, flush=True)
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)
calibrate(plan, Path(sys.argv[1]), on_done)
"""


@pytest.mark.slow
def test_a_killed_calibration_goes_on_from_what_it_measured(tmp_path: Path) -> None:
    part = tmp_path / "part"
    killed = subprocess.run([sys.executable, "-c", SCRIPT, str(part)], env=os.environ, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    lines = part.read_text().splitlines()
    assert len(lines) == 3
    part.write_text("\n".join(lines) + "\n" + '{"group": 2, "ref')  # cut while it was written
    found = calibrate(TINY, part)
    assert part.read_text().splitlines()[:3] == lines
    kept = json.loads(lines[1])
    place = TINY.groups[0][1].index(0) if 0 in TINY.groups[0][1] else None
    if place is not None:
        assert found.samples[0].ms[0] == kept["ratios"][place] * found.reference_ms
    before = part.read_text()
    assert calibrate(TINY, part) == found
    assert part.read_text() == before


def test_what_was_measured_with_other_settings_is_not_used(tmp_path: Path) -> None:
    part = tmp_path / "part"
    first = Raw(part, settings(threads=1))
    assert Raw(part, settings(threads=1)).groups == {}
    first = Raw(part, settings(threads=2))  # nothing was measured, so nothing is lost
    first.add(0, Clocked(1.5, (2.0, 3.0)))
    assert Raw(part, settings(threads=2)).groups == first.groups
    before = part.read_bytes()
    with pytest.raises(ValueError, match="has times of another calibration") as caught:
        Raw(part, settings(threads=1))
    differs = (
        "(threads 2, now 1); with those settings it goes on; or write to another place, or remove it to begin anew"
    )
    assert str(caught.value) == f"{part}: has times of another calibration {differs}"
    assert part.read_bytes() == before
    assert [*tmp_path.iterdir()] == [part]


FOREIGN = ["my notes", "my notes\nof today\n", "[1]\n2\n", "{}\n{}\n", "\udcff", '{"threads": 2}', '{"cpu": "one"}\n']
FOREIGN += ['{"plan": {"threads": 2}}\n', '{"cpu": "one", "plan": "to rest", "engine_version": "1"}\n']


@pytest.mark.parametrize("text", FOREIGN)
def test_a_file_that_is_no_calibrations_is_left_alone(tmp_path: Path, text: str) -> None:
    part = tmp_path / "part"
    part.write_text(text, errors="surrogateescape")
    before = part.read_bytes()
    with pytest.raises(ValueError, match="part: not what a calibration left there; write to another place"):
        Raw(part, settings(threads=1))
    assert part.read_bytes() == before
    part.write_text("")
    assert Raw(part, settings()).groups == {}


def test_a_file_that_cannot_be_read_is_not_called_somebody_elses(tmp_path: Path) -> None:
    part = tmp_path / "part"
    part.symlink_to(part)  # no permissions would do, but not for root
    with pytest.raises(ValueError, match=r"part: cannot be read \(Too many levels .*\); choose another place"):
        Raw(part, settings())


FULL = """
import resource, sys
from pathlib import Path
from compoundnet.calibrating.raw import Raw
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    Raw(Path(sys.argv[1]), {"plan": {"threads": 1}})
except ValueError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_disk_without_room_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: the same failing write."""
    command = [sys.executable, "-c", FULL, str(tmp_path / "part")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'part'}: cannot be written (File too large); choose another place\n"
    assert [*tmp_path.iterdir()] == []


def kept(part: Path, plan: Plan, **machine: str) -> bytes:
    """A part file with one group of a plan, as a stopped run left it on this machine or another; its bytes."""
    from compoundnet.engines.choice import cpu
    from compoundnet.engines.table import version

    Raw(part, {"plan": encode(plan), "cpu": cpu(), "engine_version": version(plan.engine), **machine}).add(
        0, Clocked(1.0, (1.0,))
    )
    return part.read_bytes()


@pytest.mark.parametrize(
    ("plan", "machine", "differs"),
    [
        (Plan.quick("torch", batch=2), {}, "(batch 2, now 1)"),
        (Plan.quick("onnxruntime", batch=2), {}, "(engine 'onnxruntime', now 'torch', batch 2, now 1, engine_version"),
        (Plan.quick("torch"), {"cpu": "another"}, "(cpu 'another', now "),
        (Plan(engine="torch"), {}, "(count 232, now 60 as quick has it or not)"),
    ],
)
def test_calibrate_with_other_settings_than_those_it_was_stopped_with_is_one_line_and_loses_nothing(
    run: Run, tmp_path: Path, plan: Plan, machine: dict[str, str], differs: str
) -> None:
    out = tmp_path / "device.json"
    before = kept(tmp_path / "device.json.part", plan, **machine)
    code, text, err = run("calibrate", "--engine", "torch", "--quick", "--out", out)
    assert (code, text, err.count("\n")) == (2, "", 1)
    assert f"{out}.part: has times of another calibration {differs}" in err
    assert (tmp_path / "device.json.part").read_bytes() == before
    assert [*tmp_path.iterdir()] == [tmp_path / "device.json.part"]


@pytest.mark.slow
def test_ctrl_c_says_in_one_line_that_what_was_measured_is_kept_and_the_same_command_goes_on(tmp_path: Path) -> None:
    part = tmp_path / "device.json.part"
    words = ("calibrate", "--engine", "torch", "--quick", "--out", str(tmp_path / "device.json"))
    command = [sys.executable, "-m", "compoundnet", *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not part.exists() or part.read_text().count("\n") < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    *progress, last = err.splitlines()
    assert (process.returncode, out) == (130, "")
    assert all(" groups of networks, about " in line for line in progress)
    assert last == f"compoundnet: interrupted; what was measured is kept in {part}, the same command goes on"
    assert [*tmp_path.iterdir()] == [part]
    settings, *groups = part.read_text().splitlines()
    assert list(Raw(part, json.loads(settings)).groups) == [*range(len(groups))]
