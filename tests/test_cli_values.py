"""show, cost, scale and models print exact figures, how they are counted, and JSON that is read again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from compoundnet import COMPOUND, MEMBERS, RULES, Network, Rounding, Scaling, by_stage, cost, named, scale
from compoundnet.cost import CONVENTION
from compoundnet.schema import encode

from .commands import Run, answer, names, run

__all__ = ["run"]  # the fixture


def test_show_prints_table_1_and_the_counting_convention(run: Run) -> None:
    code, out, err = run("show", "efficientnet_b0")
    assert (code, err) == (0, "")
    assert str(named("efficientnet_b0")) in out
    assert "5,288,548 params" in out
    assert CONVENTION in out


def test_show_json_is_the_network_that_every_command_reads(run: Run, tmp_path: Path) -> None:
    data = answer(run, "show", "efficientnet_lite2")
    assert Network.from_dict(data) == named("efficientnet_lite2")
    (tmp_path / "net.json").write_text(json.dumps(data))
    assert answer(run, "show", tmp_path / "net.json") == data


def test_cost_json_is_integers(run: Run) -> None:
    data = answer(run, "cost", "efficientnet_b0")
    assert (data["params"], data["macs"], data["flops"]) == (5_288_548, 385_814_752, 771_629_504)
    for name in ("params", "macs", "flops", "activations", "peak_activations", "training_activations"):
        assert type(data[name]) is int
    assert data["convention"] == CONVENTION
    assert data["size"] == [224, 224]


def test_cost_takes_a_size_and_goes_by_stage_or_layer(run: Run) -> None:
    net = named("efficientnet_b0")
    data = answer(run, "cost", "efficientnet_b0", "--size", "128x320", "--by", "stage")
    assert data["macs"] == cost(net, (128, 320)).macs
    assert data["stages"] == [{"name": name, **part.to_dict()} for name, part in by_stage(net, (128, 320))]
    layers = answer(run, "cost", "efficientnet_b0", "--by", "layer")["layers"]
    assert sum(layer["params"] for layer in layers) == 5_288_548


def test_the_tables_are_whole_when_piped(run: Run) -> None:
    code, out, _ = run("cost", "efficientnet_b7", "--by", "stage")
    assert code == 0
    assert f"{cost(named('efficientnet_b7')).training_activations:,}" in out
    assert CONVENTION in out
    assert "\x1b" not in out
    lines = [line for line in out.splitlines() if line.startswith(("stem", "stages", "head", "total"))]
    assert len({len(line) for line in lines}) == 1


def test_scale_json_holds_the_network_the_scaling_and_both_costs(run: Run) -> None:
    data = answer(run, "scale", "efficientnet_b0", "--phi", "1.5")
    scaling = COMPOUND**1.5
    expected = scale(named("efficientnet_b0"), scaling)
    assert Network.from_dict(data["network"]) == expected
    assert data["scaling"] == encode(scaling)
    assert data["cost"] == cost(expected).to_dict()
    assert data["before"] == cost(named("efficientnet_b0")).to_dict()
    assert data["formula"] == pytest.approx((1.2 * 1.1**2 * 1.15**2) ** 1.5)
    assert data["ratio"] == data["cost"]["macs"] / data["before"]["macs"]


@pytest.mark.parametrize("rule", list(RULES))
def test_scale_follows_the_rule(run: Run, rule: str) -> None:
    data = answer(run, "scale", "mobilenet_v1", "--phi=-1", "--rule", rule)
    assert data["scaling"] == encode(RULES[rule] ** -1)


def test_a_network_is_rounded_as_the_authors_of_a_rule_round(run: Run) -> None:
    """TinyNet-C: rounded as EfficientNet rounds, its stem would shrink and its stages be deeper."""
    phi = RULES["tinynet"].curve[2][0]
    data = answer(run, "scale", "efficientnet_b0", f"--phi={phi!r}", "--rule", "tinynet", "--like", "tinynet")
    assert data["cost"]["params"] == 2_457_234
    assert data["rounding"] == encode(RULES["tinynet"].rounding)


def test_scale_by_factors_leaves_the_others_at_one(run: Run) -> None:
    data = answer(run, "scale", "resnet50", "--width", "1.5", "--depth", "2")
    assert data["scaling"] == {"depth": 2.0, "width": 1.5, "resolution": 1.0}
    assert Network.from_dict(data["network"]) == scale(named("resnet50"), Scaling(2.0, 1.5))


def test_scale_rounds_as_the_family_does_unless_told_otherwise(run: Run) -> None:
    lite = named("efficientnet_lite0")
    scaling = COMPOUND**2
    data = answer(run, "scale", "efficientnet_lite0", "--phi", "2")
    assert Network.from_dict(data["network"]) == scale(lite, scaling, MEMBERS["efficientnet_lite0"].rounding)
    assert data["network"]["stem"]["channels"] == 32
    data = answer(run, "scale", "efficientnet_b0", "--phi", "2", "--divisor", "4", "--layers", "nearest")
    rounding = Rounding(divisor=4, layers="nearest")
    assert Network.from_dict(data["network"]) == scale(named("efficientnet_b0"), scaling, rounding)


def test_scale_prints_the_rounding_and_the_estimate_beside_the_truth(run: Run) -> None:
    code, out, _ = run("scale", "efficientnet_b0", "--phi", "1")
    after = cost(scale(named("efficientnet_b0"), COMPOUND))
    assert code == 0
    for text in ("divisor 8", "layers ceil", "385,814,752", f"{after.macs:,}", "1.920", CONVENTION):
        assert text in out
    assert f"{after.macs / 385_814_752:.3f} times" in out


def test_scale_writes_a_network_that_cost_reads(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "bigger.json"
    data = answer(run, "scale", "tiny", "--phi", "3", "--out", out)
    assert json.loads(out.read_text()) == data["network"]
    assert answer(run, "cost", out)["macs"] == data["cost"]["macs"]
    assert names(tmp_path) == ["bigger.json"]


def test_every_table_of_numbers_says_how_they_are_counted(run: Run) -> None:
    for argv in (["show", "tiny"], ["cost", "tiny"], ["scale", "tiny", "--phi", "1"], ["models", "tiny"]):
        assert CONVENTION in run(*argv)[1]


def test_models_lists_every_member_and_which_have_weights(run: Run) -> None:
    rows = {row["name"]: row for row in answer(run, "models")}
    assert list(rows) == list(MEMBERS)
    assert rows["efficientnet_b0"] == {
        "name": "efficientnet_b0",
        "params": 5_288_548,
        "macs": 385_814_752,
        "resolution": 224,
        "weights": False,
    }
    assert [name for name, row in rows.items() if row["weights"]] == [f"efficientnet_lite{i}" for i in range(3)]
    assert [row["name"] for row in answer(run, "models", "resnet1*")] == ["resnet18", "resnet101", "resnet152"]


def test_a_network_of_a_file_scales_with_the_released_rounding(run: Run, tmp_path: Path) -> None:
    net = replace(named("efficientnet_lite0"), classes=7)
    (tmp_path / "net.json").write_text(json.dumps(net.to_dict()))
    data = answer(run, "scale", tmp_path / "net.json", "--phi", "1")
    assert Network.from_dict(data["network"]) == scale(net, COMPOUND)
