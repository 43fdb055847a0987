"""Files that commands read and write: networks' JSON, class names, bare weights."""

import json
from pathlib import Path

import pytest
import torch

from compoundnet import build, named
from tests.commands import Run, run
from tests.pictures import CHELSEA

__all__ = ["run"]  # a fixture


def test_a_json_file_scales_as_the_family_it_is_like(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "lite.json"
    path.write_text(run("show", "efficientnet_lite0", "--json")[1])
    by_name = json.loads(run("scale", "efficientnet_lite0", "--phi", "1", "--json")[1])
    like = json.loads(run("scale", path, "--phi", "1", "--like", "efficientnet_lite0", "--json")[1])
    plain = json.loads(run("scale", path, "--phi", "1", "--json")[1])
    assert like["network"] == by_name["network"] != plain["network"]
    path.write_text(json.dumps(by_name))
    again = json.loads(run("scale", path, "--phi", "1", "--json")[1])
    assert again["rounding"] == by_name["rounding"]


def test_a_repeated_key_is_refused_and_a_byte_order_mark_is_not(run: Run, tmp_path: Path) -> None:
    text = run("show", "tiny", "--json")[1]
    path = tmp_path / "net.json"
    path.write_text(text, encoding="utf-8-sig")
    assert run("cost", path)[0] == 0
    path.write_text(text.replace('"channels": 8', '"channels": 8, "channels": 16', 1))
    code, _, err = run("cost", path)
    assert code == 2
    assert "the key 'channels' stands twice in one object" in err


def test_own_class_names_and_the_network_of_a_bare_file(run: Run, tmp_path: Path) -> None:
    model = build(named("tiny"))
    weights = tmp_path / "own.pth"
    torch.save(model.state_dict(), weights)
    labels = tmp_path / "labels.txt"
    labels.write_text("".join(f"name {index}\n" for index in range(1000)))
    code, out, _ = run("predict", CHELSEA, "--model", weights, "--network", "tiny", "--labels", labels, "--json")
    assert code == 0
    best = json.loads(out)[0]["top"][0]
    assert best["label"] == f"name {best['index']}"
    labels.write_text("only one\n")
    code, _, err = run("predict", CHELSEA, "--model", weights, "--network", "tiny", "--labels", labels)
    assert (code, "1 names for a network with 1000 outputs" in err) == (2, True)


def test_class_names_cannot_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\x1b]0;owned\x07\n" * 1000)
    _, out, _ = run("predict", CHELSEA, "--labels", labels, "--top", "1")
    assert "\x1b" not in out
    assert "owned" in out


@pytest.mark.parametrize("target", ["-", ""])
def test_standard_output_is_no_file_to_write(run: Run, target: str) -> None:
    code, _, err = run("scale", "tiny", "--phi", "1", "--out", target)
    assert (code, "is no file to write" in err) == (2, True)
