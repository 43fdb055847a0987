"""All strategies by name, with the settings they have unless told otherwise."""

from collections.abc import Mapping
from typing import Any

from compoundnet.schema import Named
from compoundnet.search.predictors.models import Boosting, Kernel

from .evolution import Evolution
from .local import Local
from .ppo import Ppo
from .protocol import Strategy
from .samplers import Nsga2, Tpe
from .surrogate import Surrogate
from .uniform import Uniform

DEFAULT = "ridge"  # of three models on NAS-Bench-Macro: docs/search-strategies.md
_ALL: tuple[Strategy[Any], ...] = (
    Uniform(),
    Evolution(),
    Local(),
    Surrogate(name="ridge", model=Kernel("ridge")),
    Surrogate(name="pairwise", model=Kernel("pairwise")),
    Surrogate(name="gaussian", model=Kernel("gaussian")),
    Surrogate(name="boosting", model=Boosting(), acquisition="thompson"),
    Nsga2(),
    Tpe(),
    Ppo(),
)
STRATEGIES: Mapping[str, Strategy[Any]] = Named("strategy", {each.name: each for each in _ALL})
