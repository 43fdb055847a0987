"""predict and merge on the command line: answers, files of answers, interruptions, shards."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from compoundnet.cli.sharding import cores_each, shard_of
from tests.commands import Run, answer, names, run
from tests.pictures import CHELSEA, COFFEE, ROCKET, png_header

__all__ = ["run"]  # a fixture


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "cut2.jpg").write_bytes(ROCKET.read_bytes()[:9000])
    (folder / "coffee10.png").write_bytes(COFFEE.read_bytes())
    (folder / "bomb.png").write_bytes(png_header(50_000, 50_000))
    return folder


def test_predict_does_the_rest_and_counts_both(run: Run, pictures: Path) -> None:
    code, out, err = run("predict", CHELSEA, pictures, "missing.jpg", "--top", 2, "--json")
    assert code == 1
    data = json.loads(out)
    assert [row["path"] for row in data] == [
        *[str(CHELSEA), f"{pictures}/bomb.png", f"{pictures}/coffee10.png", f"{pictures}/cut2.jpg", "missing.jpg"]
    ]
    assert [row["error"] is None for row in data] == [True, False, True, False, False]
    assert [[label["label"] for label in row["top"]][:1] for row in data] == [["tiger cat"], [], ["espresso"], [], []]
    assert all(list(row) == ["path", "top", "error"] for row in data)
    assert all(list(label) == ["label", "index", "probability"] for row in data for label in row["top"])
    assert err == "compoundnet: error: 3 of 5 pictures failed, 2 done\n"


def test_predict_prints_labels_and_one_line_for_each_bad_file(run: Run, pictures: Path) -> None:
    code, out, err = run("predict", f"{pictures}/c*", "--top", 1)
    assert code == 1
    assert out.splitlines()[0] == f"{pictures}/coffee10.png"
    assert "espresso (967)" in out
    first, last = err.splitlines()
    assert first.startswith(f"compoundnet: error: {pictures}/cut2.jpg: damaged or cut off")
    assert last == "compoundnet: error: 1 of 2 pictures failed, 1 done"


def test_predict_exact_decodes_every_pixel(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with Image.open(COFFEE) as image:
        image.convert("RGB").resize((3000, 2000)).save(path)
    fast, exact = (answer(run, "predict", path, *more)[0]["top"][0] for more in ((), ("--exact",)))
    assert fast["label"] == exact["label"] == "espresso"
    assert 0 < abs(fast["probability"] - exact["probability"]) < 0.05


def test_what_was_assumed_about_a_bare_file_is_said(run: Run, tmp_path: Path) -> None:
    from compoundnet.weights.catalogue import PACKAGED, locate

    bare = tmp_path / "bare.pth"
    bare.symlink_to(locate(PACKAGED["efficientnet_lite0"]))
    code, out, err = run("predict", COFFEE, "--model", bare, "--json")
    assert code == 0
    assert json.loads(out)[0]["top"][0]["label"] == "espresso"
    assert err.splitlines()
    assert all(line.startswith(f"compoundnet: {bare}: assumed: ") for line in err.splitlines())


def test_odd_metadata_in_a_good_picture_is_no_warning(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "odd.jpg"
    Image.new("RGB", (40, 40)).save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0\x12\x01\x03\0")
    code, _, err = run("predict", path)
    assert (code, err) == (0, "")


def test_an_empty_folder_is_a_failed_input(run: Run, tmp_path: Path) -> None:
    code, out, err = run("predict", tmp_path)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"compoundnet: error: {tmp_path}: no picture in this folder; it needs files such as .jpg or .png",
        "compoundnet: error: 1 of 1 pictures failed, 0 done",
    ]


# A file of answers


def test_the_file_holds_what_json_prints(run: Run, pictures: Path, tmp_path: Path) -> None:
    paths = [CHELSEA, pictures, "missing.jpg", "--top", 2]
    data = json.loads(run("predict", *paths, "--json")[1])
    table, lines = tmp_path / "out.csv", tmp_path / "out.jsonl"
    for path in (table, lines):
        code, out, err = run("predict", *paths, "--out", path)
        assert (code, err) == (1, "")
        assert out.startswith("5 pictures, ")
        assert out.endswith(f" a second, 3 failed: {path}\n")
    assert [json.loads(line) for line in lines.read_text().splitlines()] == data
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "rank", "label", "index", "probability", "error"]
    assert [(row["path"], row["rank"]) for row in rows] == [
        *[(str(CHELSEA), "1"), (str(CHELSEA), "2"), (f"{pictures}/bomb.png", "")],
        *[(f"{pictures}/coffee10.png", "1"), (f"{pictures}/coffee10.png", "2")],
        *[(f"{pictures}/cut2.jpg", ""), ("missing.jpg", "")],
    ]
    assert float(rows[0]["probability"]) == pytest.approx(data[0]["top"][0]["probability"], abs=1e-6)
    assert rows[2]["error"] == data[1]["error"]
    assert not list(tmp_path.glob("*.part"))


def test_a_second_run_does_only_what_is_new(run: Run, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert run("predict", CHELSEA, "--out", out)[1].endswith(f", 0 failed: {out}\n")
    first = out.read_bytes()
    assert run("predict", CHELSEA, "--out", out)[1] == f"1 picture, 1 of them before, 0 failed: {out}\n"
    assert out.read_bytes() == first
    code, text, _ = run("predict", CHELSEA, pictures / "coffee10.png", CHELSEA, "--out", out, "--json")
    assert code == 0
    data = json.loads(text)
    assert (data["pictures"], data["before"], data["failed"]) == (3, 1, 0)
    assert out.read_bytes().startswith(first)
    paths = [json.loads(line)["path"] for line in out.read_text().splitlines()]
    assert paths == [str(CHELSEA), str(pictures / "coffee10.png"), str(CHELSEA)]


def test_another_model_or_option_does_not_go_on_with_the_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run("predict", CHELSEA, "--out", out)
    before = out.read_bytes()
    for options, problem in [
        (("--top", "3"), "begun by another run (top 5, not 3)"),
        (("--exact",), "begun by another run (exact False, not True)"),
        (
            ("--model", "efficientnet_lite1"),
            "begun by another run (model 'efficientnet_lite0', not ",
        ),
    ]:
        code, _, err = run("predict", COFFEE, "--out", out, *options)
        assert code == 2
        assert problem in err
    assert out.read_bytes() == before


def test_other_class_names_do_not_go_on_with_the_file(run: Run, tmp_path: Path) -> None:
    out, labels = tmp_path / "out.csv", tmp_path / "labels.txt"
    labels.write_text("".join(f"name {index}\n" for index in range(1000)))
    run("predict", CHELSEA, "--out", out)
    code, _, err = run("predict", COFFEE, "--out", out, "--labels", labels)
    assert code == 2
    hashes = re.search(
        r"begun by another run \(classes_sha256 '([0-9a-f]{60})\.\.\.', not '([0-9a-f]{60})\.\.\.'\)", err
    )
    assert hashes is not None, err
    assert hashes[1] != hashes[2]


@pytest.mark.parametrize("options", [("--engine", "nosuch"), ("--labels", "one.txt"), ("--batch", "0")])
def test_wrong_options_leave_no_file_behind(
    options: tuple[str, str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.txt").write_text("cat\n")
    assert run("predict", CHELSEA, "--out", "out.csv", *options)[0] == 2
    assert names(tmp_path) == ["one.txt"]


def test_a_finished_file_that_was_cut_off_is_not_gone_on_with(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    run("predict", CHELSEA, COFFEE, "--out", out)
    cut = out.read_bytes()[:-10]
    out.write_bytes(cut)
    code, _, err = run("predict", CHELSEA, COFFEE, "--out", out)
    assert code == 2
    assert "damaged or cut off: 1 answers in" in err
    assert out.read_bytes() == cut


def test_blank_lines_of_a_list_name_nothing(run: Run, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(f"\n{CHELSEA}\n\n")
    assert [row["path"] for row in answer(run, "predict", "--files-from", listed)] == [str(CHELSEA)]


def test_a_file_that_predict_did_not_write_is_kept(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("my notes")
    code, _, err = run("predict", CHELSEA, "--out", out)
    assert code == 2
    assert "out.csv.run.json beside it is missing, so nobody knows what made it; name another file" in err
    assert out.read_text() == "my notes"


def test_an_impossible_target_is_found_before_the_work_starts(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    started = time.perf_counter()
    code, out, err = run("predict", *[CHELSEA] * 2000, "--out", folder)
    assert time.perf_counter() - started < 2
    assert (code, out) == (2, "")
    assert err == f"compoundnet: error: {folder}: a folder; name a file to write\n"


def test_an_interruption_is_130_and_what_was_done_stays(run: Run, tmp_path: Path) -> None:
    import _thread

    out = tmp_path / "out.csv"
    timer = threading.Timer(4.0, _thread.interrupt_main)
    timer.start()
    code, text, err = run("predict", *[CHELSEA] * 3000, "--out", out, "--engine", "model")
    timer.cancel()
    assert (code, text) == (130, "")
    assert f"compoundnet: {out}: the same command goes on with it\n" in err
    assert err.endswith("compoundnet: error: interrupted\n")
    assert not out.exists()
    part = tmp_path / "out.csv.part"
    assert part.read_bytes().endswith(b"\n")
    assert part.read_bytes().count(b"\n") > 1


@pytest.mark.slow
def test_a_killed_run_is_gone_on_with_and_gives_the_same_file(run: Run, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{path}\n" for path in [CHELSEA, COFFEE, ROCKET, "missing.jpg"] * 40))
    assert run("predict", "--files-from", listed, "--top", 1, "--out", whole)[0] == 1
    command = [*(sys.executable, "-m", "compoundnet", "predict", "--files-from", listed), *("--top", "1", "--out", out)]
    process = subprocess.Popen([str(word) for word in command], env=os.environ | {"OMP_NUM_THREADS": "1"})
    part = tmp_path / "out.jsonl.part"
    until = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size) and time.monotonic() < until:
        time.sleep(0.01)
    assert "another process is writing it" in run("predict", CHELSEA, "--top", 1, "--out", out)[2]
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert not out.exists()
    code, text, _ = run("predict", "--files-from", listed, "--top", 1, "--out", out, "--json")
    assert code == 1
    assert json.loads(text)["before"] > 0
    mine, theirs = ([json.loads(line) for line in path.read_text().splitlines()] for path in (out, whole))
    assert [row["path"] for row in mine] == [row["path"] for row in theirs]
    assert [[label["label"] for label in row["top"]] for row in mine] == [
        [label["label"] for label in row["top"]] for row in theirs
    ]


# Shards


@pytest.mark.slow
def test_the_shards_of_a_list_merge_to_the_file_of_the_whole_list(
    run: Run, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [CHELSEA, pictures, "missing.jpg", COFFEE, "--top", 2]
    for suffix in ("csv", "jsonl"):
        whole, out = tmp_path / f"whole.{suffix}", tmp_path / f"out.{suffix}"
        run("predict", *paths, "--out", whole)
        run("predict", *paths, "--shard", "0/3", "--out", out)
        monkeypatch.setenv("RANK", "1")
        monkeypatch.setenv("WORLD_SIZE", "3")
        run("predict", *paths, "--shard", "env", "--out", out)
        parts = [tmp_path / f"out.{index}-of-3.{suffix}" for index in (2, 0, 1)]
        code, _, err = run("merge", *parts[1:], "--out", out)
        assert (code, err) == (2, "compoundnet: error: of 3 shards these are missing: 2; name them too\n")
        run("predict", *paths, "--shard", "2/3", "--out", out)
        code, text, _ = run("merge", *parts, "--out", out)
        assert (code, text) == (1, f"6 pictures of 3 shards, 3 failed: {out}\n")
        assert out.read_bytes() == whole.read_bytes()
        assert run("predict", *paths, "--out", out)[1] == f"6 pictures, 6 of them before, 3 failed: {out}\n"


def array(index: str, count: str, least: str, most: str, step: str) -> dict[str, str]:
    """What Slurm sets for one task of an array."""
    names = ("ID", "COUNT", "MIN", "MAX", "STEP")
    values = zip(names, (index, count, least, most, step), strict=True)
    return {f"SLURM_ARRAY_TASK_{name}": value for name, value in values}


def test_an_array_with_gaps_cannot_say_which_share_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in array("7", "3", "0", "7", "1").items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"a Slurm array with gaps \(tasks from 0 to 7 by 1 are not 3\)"):
        shard_of("env")


@pytest.mark.parametrize(
    ("variables", "shard"),
    [
        ({"RANK": "3", "WORLD_SIZE": "8"}, (3, 8)),
        (array("4", "4", "1", "4", "1"), (3, 4)),
        (array("6", "8", "0", "14", "2"), (3, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "2"}, (0, 2)),
    ],
)
def test_launchers_say_which_share_a_process_does(
    variables: dict[str, str], shard: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    found = shard_of("env")
    assert (found.index, found.count) == shard


def test_torchruns_processes_on_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores_each("env") is None
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(2 * (os.cpu_count() or 1)))
    assert cores_each("env") == 1
    assert cores_each("0/2") is None
