"""A network is a value: equality, JSON both ways, Table 1, and errors that name the field."""

import json
import math
import pickle
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given

from compoundnet import MEMBERS, FusedMBConv, Head, MBConv, Network, Stage, Stem, named, unfold
from compoundnet.layers import Seq, text
from compoundnet.schema import FieldError

from .strategies import networks

TABLE_1 = """\
Stage i | Operator F_i           | Resolution H_i x W_i | #Channels C_i | #Layers L_i
--------+------------------------+----------------------+---------------+------------
      1 | Conv3x3                |            224 x 224 |            32 |           1
      2 | MBConv1, k3x3          |            112 x 112 |            16 |           1
      3 | MBConv6, k3x3          |            112 x 112 |            24 |           2
      4 | MBConv6, k5x5          |              56 x 56 |            40 |           2
      5 | MBConv6, k3x3          |              28 x 28 |            80 |           3
      6 | MBConv6, k5x5          |              14 x 14 |           112 |           3
      7 | MBConv6, k5x5          |              14 x 14 |           192 |           4
      8 | MBConv6, k3x3          |                7 x 7 |           320 |           1
      9 | Conv1x1 & Pooling & FC |                7 x 7 |          1280 |           1"""


def test_printing_b0_is_the_papers_table_1() -> None:
    assert str(named("efficientnet_b0")) == TABLE_1


@pytest.mark.parametrize("name", list(MEMBERS))
def test_every_member_survives_json(name: str) -> None:
    network = named(name)
    assert Network.from_dict(json.loads(json.dumps(network.to_dict()))) == network


@given(networks())
def test_any_network_survives_json_and_hashes_alike(network: Network) -> None:
    again = Network.from_dict(json.loads(json.dumps(network.to_dict())))
    assert again == network
    assert hash(again) == hash(network)


def test_networks_that_compute_something_else_differ() -> None:
    b0 = named("efficientnet_b0")
    others = [replace(b0, padding="symmetric"), replace(b0, norm_eps=1e-5), replace(b0, activation="relu")]
    assert len({b0, *others}) == 4


def test_only_the_first_repeat_changes_width_and_stride_and_the_rest_are_one_value() -> None:
    stages = dict(unfold(named("efficientnet_b3")).children)["stages"]
    assert isinstance(stages, Seq)
    for _, stage in stages.children:
        assert isinstance(stage, Seq)
        blocks = [block for _, block in stage.children]
        assert all(block is blocks[1] for block in blocks[2:])


def test_the_squeeze_is_a_share_of_the_blocks_input_width() -> None:
    """fidelity: B0's sixteen reference widths."""
    lines = [line for line in text(unfold(named("efficientnet_b0"))).splitlines() if "reduce: Conv" in line]
    squeezed = [int(line.split("outputs=")[1].split(",")[0]) for line in lines]
    assert squeezed == [8, 4, 6, 6, 10, 10, 20, 20, 20, 28, 28, 28, 48, 48, 48, 48]


def test_nine_of_b0s_sixteen_blocks_have_a_skip() -> None:
    lines = text(unfold(named("efficientnet_b0"))).splitlines()
    assert sum(line.endswith(": Residual") for line in lines) == 9
    assert named("efficientnet_b0").blocks == 16


def test_the_tree_as_text_names_a_projection_shortcut() -> None:
    assert "shortcut: Seq" in text(unfold(named("resnet18")))
    assert "shortcut" not in text(unfold(named("efficientnet_b0")))


def _b0() -> dict[str, Any]:
    return named("efficientnet_b0").to_dict()


def _with(path: list[str | int], value: object) -> dict[str, Any]:
    data = _b0()
    place: Any = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_with(["stages", 2, "channels"], -8), "stages[2].channels: -8 is not a whole number of at least 1"),
        (_with(["stages", 2, "channels"], True), "stages[2].channels: expected an integer, got True"),
        (_with(["stages", 0, "operator", "kernel"], 4), "stages[0].operator.kernel: 4 is even"),
        (_with(["stages", 0, "operator", "se"], 2), "stages[0].operator.se: 2.0 is not a share"),
        (_with(["stages", 0, "operator", "type"], "MBconv"), "unknown operator 'MBconv'; did you mean MBConv"),
        (_with(["stages", 0, "operator", "expnd"], 3), "expnd: unknown field of MBConv; did you mean expand"),
        (_with(["stages", 0, "operator"], 3), "stages[0].operator: expected an object with a 'type'"),
        (_with(["stages", 3, "layers"], 10**9), "stages: 1,000,000,013 layers in all; at most 10,000"),
        (_with(["stages"], {}), "stages: expected a list, got {}"),
        (_with(["stages"], []), "stages: a network needs at least one stage"),
        (_with(["stem"], None), "stem: expected an object with Stem's fields, got null"),
        (_with(["head", "channels"], "wide"), "head.channels: expected an integer, got 'wide'"),
        (_with(["classes"], 0), "classes: 0 is not a whole number of at least 1"),
        (_with(["resolution"], 16), "resolution: 16 is below the total stride 32; use at least 32"),
        (_with(["padding"], "valid"), "padding: 'valid' is not one of 'same', 'symmetric'"),
        (_with(["activation"], "swish"), "activation: 'swish' is not one of"),
        (_with(["norm_eps"], 0.0), "norm_eps: 0.0 is not positive"),
        (_with(["version"], 99), "version: 99 is not supported; this compoundnet reads 1"),
        ({k: v for k, v in _b0().items() if k != "version"}, "version: missing; this compoundnet reads 1"),
        ({k: v for k, v in _b0().items() if k != "stem"}, "stem: missing; Network needs it"),
        ({**_b0(), "resoluton": 224}, "resoluton: unknown field of Network; did you mean resolution?"),
    ],
)
def test_an_impossible_description_is_one_line_that_leads_to_the_field(data: dict[str, Any], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        Network.from_dict(data)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, [], 3, "efficientnet_b0"])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(FieldError, match="a network is an object"):
        Network.from_dict(data)


def test_hostile_values_are_shown_short_and_in_ascii() -> None:
    for data in (_with(["stages"], "a" * 10**6), {**_b0(), "\x1b[31m\n" * 9: 1}, _with(["stem", "channels"], 10**400)):
        with pytest.raises(FieldError) as caught:
            Network.from_dict(data)
        assert len(str(caught.value)) < 400
        assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("path", "value"),
    [(["norm_eps"], math.inf), (["norm_eps"], math.nan), (["norm_eps"], 10**400), (["classes"], 10**14)],
)
def test_numbers_out_of_all_range_are_refused(path: list[str | int], value: float) -> None:
    with pytest.raises(FieldError, match=f"^{path[0]}: "):
        Network.from_dict(_with(path, value))


def test_a_field_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(FieldError("stages[2].channels", "is wrong")))
    assert (str(error), error.path) == ("stages[2].channels: is wrong", "stages[2].channels")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: MBConv(se_activation=cast("Any", "swish")), "se_activation: 'swish' is not one of None, 'silu'"),
        (lambda: MBConv(skip=cast("Any", "false")), "skip: 'false' is not one of True, False, 'pool'"),
        (lambda: FusedMBConv(expand_from=cast("Any", "outputs")), "expand_from: 'outputs' is not one of"),
        (lambda: Stem(channels=8, max_pool=cast("Any", "no")), "max_pool: 'no' is not a bool"),
        (lambda: Stage(operator=cast("Any", MBConv), layers=1, channels=8), "give an instance"),
        (lambda: replace(named("tiny"), stem=cast("Any", None)), "stem: None is not a Stem"),
        (lambda: replace(named("tiny"), stages=cast("Any", [])), "stages: [] is not a tuple"),
        (lambda: replace(named("tiny"), stages=cast("Any", (1,))), "stages[0]: 1 is not a Stage"),
        (lambda: replace(named("tiny"), norm_eps=cast("Any", "x")), "norm_eps: 'x' is not positive"),
    ],
)
def test_a_wrong_type_in_python_names_the_field(call: Callable[[], object], message: str) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert message in str(caught.value)


def test_values_are_checked_in_python_too() -> None:
    with pytest.raises(FieldError, match=r"channels: 0 is not a whole number"):
        Stem(channels=0)
    with pytest.raises(FieldError, match=r"kernel: 2 is even"):
        Stem(channels=8, kernel=2)
    with pytest.raises(FieldError, match=r"channels: 2.5 is not"):
        Head(channels=2.5)  # pyrefly: ignore[bad-argument-type]
    with pytest.raises(FieldError, match=r"operator: 'MBConv' has no unfold"):
        Stage(operator="MBConv", layers=1, channels=8)  # pyrefly: ignore[bad-argument-type]
    with pytest.raises(FieldError, match=r"expand: 0 is not"):
        MBConv(expand=0)


def test_an_unknown_name_lists_near_ones() -> None:
    with pytest.raises(ValueError, match="unknown network 'efficientnetb0'; did you mean efficientnet_b0"):
        named("efficientnetb0")
    with pytest.raises(ValueError, match="known: efficientnet_b0, "):
        named("zzz")
