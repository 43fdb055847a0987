"""Per-stage scaling: what cannot be solved is one line that says what is needed."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from compoundnet import (
    RULES,
    Choices,
    Elastic,
    Head,
    Nearest,
    Network,
    Site,
    Stage,
    Stem,
    cost,
    named,
    solve_stages,
    stage_choices,
)
from compoundnet.budget import Budget, words
from compoundnet.layers import Act, Node, seq
from compoundnet.schema import FieldError

from .budgets import limited
from .drawn_stages import LIMITED, drawn_choices, drawn_network, every


@dataclass(frozen=True)
class Moody:
    """Ends in an activation or not, by its width: what is kept for training then depends on the widths."""

    def unfold(self, site: Site) -> Node:
        conv = site.conv_norm(site.inputs, site.outputs, 3, site.stride)
        return seq(conv=conv, act=Act("relu")) if site.outputs > 8 else conv


def test_an_operator_whose_cost_depends_on_more_than_its_site_is_refused() -> None:
    base = replace(named("tiny"), stages=(Stage(operator=Moody(), layers=1, channels=8),), head=Head())
    chosen = replace(stage_choices(base), widths=((8, 16),))
    with pytest.raises(FieldError, match="operator: what it keeps for training depends on the widths"):
        solve_stages(base, Budget(macs=10**9), RULES["width"], chosen)


def test_an_impossible_budget_is_told_the_least_need_and_the_limit_that_fails() -> None:
    rng = np.random.default_rng(1)
    base = drawn_network(rng, "Basic")
    chosen, law = drawn_choices(rng, base, 100), Elastic(depth=1, width=1, resolution=1)
    needs = [limited(**dict.fromkeys(LIMITED, 1)).needs(cost(each)) for each in every(base, chosen)]
    for name in LIMITED:
        need = min(each[name] for each in needs)
        told = (
            rf"^budget: none of {len(needs)} networks fits; .* is {need:,} .*{words(name)}, the limit is {need - 1:,}"
        )
        with pytest.raises(FieldError, match=told):
            solve_stages(base, limited(**({"params": 10**9} | {name: need - 1})), law, chosen)
        assert solve_stages(base, limited(**{name: need}), law, chosen).use == 1


@dataclass(frozen=True)
class Contrary:
    """The wider it is, the fewer parameters it has."""

    def unfold(self, site: Site) -> Node:
        return site.conv_norm_act(site.inputs, site.outputs, 1 if site.outputs > 8 else 7, site.stride)


def test_limits_that_can_be_kept_alone_but_not_together_are_said() -> None:
    base = Network(stem=Stem(channels=8), stages=(Stage(operator=Contrary(), layers=1, channels=8),), resolution=32)
    chosen = Choices(stem=(8,), widths=((8, 16),), repeats=((1,),), head=(0,), sides=(32,))
    narrow, wide = (cost(each) for each in every(base, chosen))
    budget = Budget(memory=4 * narrow.params + 4 * narrow.peak_activations, activations=narrow.activations)
    assert solve_stages(base, budget, RULES["width"], chosen).cost == narrow
    base = replace(base, classes=10)
    narrow, wide = (cost(each) for each in every(base, chosen))
    with pytest.raises(
        FieldError, match=r"each limit can be kept alone, but not all: the least needs are .* activations"
    ):
        solve_stages(
            base, Budget(params=wide.params, activations=narrow.activations), Nearest(rule="width", phi=0), chosen
        )


def test_nothing_limited_is_refused() -> None:
    with pytest.raises(FieldError, match="budget: nothing is limited; limit at least one cost"):
        solve_stages(named("tiny"), Budget(), Elastic(depth=1, width=1, resolution=1))


def test_more_partial_networks_than_memory_holds_are_refused() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(8, 1000, 20))
    limits = dict.fromkeys(LIMITED, 0) | limited(**dict.fromkeys(LIMITED, 1)).needs(cost(named("efficientnet_b0")))
    with pytest.raises(
        FieldError, match=r"choices: more than 3 partial networks up to .* may become the best at \d+ p"
    ):
        solve_stages(named("efficientnet_b0"), limited(**limits), lambda i, w, n: table[i, w, n], most_labels=3)
