"""compoundnet weights list: tables, one file in full, JSON, and one line for what is wrong."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from compoundnet.cli import main
from compoundnet.weights import every_published

FULL = """efficientnet_edgetpu_s.tensorflow.baseline
  Network: efficientnet_edgetpu_s, called efficientnet-edgetpu-S
  Method: baseline: the authors', with the preprocessing of ResNet; of Lite and EdgeTPU the only one
  File: https://storage.googleapis.com/cloud-tpu-checkpoints/efficientnet/efficientnet-edgetpu-S.tar.gz
  Published by: tensorflow/tpu
  Licence: Apache-2.0
  Classes: 1,001, the first is the background
  Padding: same, norm epsilon 0.001
  Pictures: 224 pixels, bicubic, mean 127/255, std 128/255
  Accuracy: top-1 77.23 %, published in tensorflow/tpu models/official/efficientnet/edgetpu/README.md
"""


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["weights", *words])
    out, err = capsys.readouterr()
    return code, out, err


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    code, out, err = run(capsys, "list", *words, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_the_whole_catalogue_is_one_table_and_says_what_is_not_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "list")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].split() == ["Name", "Top-1", "Top-5", "Pixels", "Padding", "Mean", "Classes", "Hash"]
    assert [line.split()[0] for line in lines[2:183]] == list(every_published())
    assert lines[183].startswith("181 files. Accuracies in percent, as published")
    assert all(line.startswith("Not listed: ") for line in lines[184:])
    assert "condconv" in lines[184]


def test_filters_choose_rows_and_one_row_is_shown_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "list", "--member", "efficientnet_b6", "--method", "advprop")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[2:-1]] == [
        f"efficientnet_b6.{who}.advprop" for who in ("tensorflow", "timm", "lukemelas", "mmpretrain")
    ]
    assert run(capsys, "list", "--file-name", "efficientnet-edgetpu-S.tar.gz") == (0, FULL, "")


def test_json_has_what_is_published_and_what_follows(capsys: pytest.CaptureFixture[str]) -> None:
    [row] = answer(capsys, "--member", "efficientnet_b8", "--ecosystem", "mmpretrain")
    assert row["called"] == "efficientnet-b8_3rdparty_8xb32-aa-advprop_in1k"
    assert row["printed_flops"] == [1092755326, 64999827816]
    assert (row["sha256"], row["sha256_starts"], row["bytes"]) == ("", "297ce1b7", None)
    assert (row["padding"], row["norm_eps"], row["preprocess"]["mean"]) == ("same", 1e-3, [0.5, 0.5, 0.5])
    assert len(answer(capsys)) == 181


def test_nothing_that_has_all_of_it_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    filters = ("--member", "efficientnet_lite0", "--method", "advprop")
    assert run(capsys, "list", *filters) == (0, "No published weights in the catalogue have all of that.\n", "")
    assert answer(capsys, *filters) == []


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["lst"], "unknown action 'lst' of weights; did you mean list?"),
        (["list", "efficientnet_b0"], "weights list takes no names, got 1 name; filter with --member or others"),
        ([], "REQUEST is missing; try --help"),
        (
            ["list", "--member", "efficientnet_b10"],
            "unknown member 'efficientnet_b10' of published weights; did you mean",
        ),
        (["list", "--member", "tiny"], "no published weights of tiny are in the catalogue; known: efficientnet_b0"),
        (["list", "--ecosystem", "timn"], "unknown ecosystem 'timn' of published weights; did you mean timm"),
        (["list", "--sha256", "12"], "a SHA-256 is 64 hexadecimal digits, got 2 of them"),
        (["list", "--membr", "efficientnet_b0"], "unknown argument --membr; did you mean --member"),
    ],
)
def test_what_is_wrong_is_one_line(capsys: pytest.CaptureFixture[str], words: list[str], problem: str) -> None:
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert err.startswith(f"compoundnet: error: {problem}")
    assert err.count("\n") == 1


def test_listing_imports_nothing_heavy() -> None:
    script = (
        "import sys; from compoundnet.cli import main; code = main(['weights', 'list', '--method', 'advprop'])\n"
        "sys.exit(code or bool({'torch', 'numpy', 'PIL'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def test_the_table_comes_with_the_package() -> None:
    import compoundnet.weights

    assert (Path(compoundnet.weights.__file__).parent / "published.csv").is_file()
