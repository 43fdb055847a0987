"""Random networks for the laws: any operator, odd widths, both paddings, any activation."""

from typing import get_args

from hypothesis import strategies as st

from compoundnet import (
    Basic,
    Bottleneck,
    ConvBlock,
    FusedMBConv,
    Head,
    MBConv,
    Network,
    Operator,
    SeparableConv,
    Stage,
    Stem,
)
from compoundnet.layers import Activation, Padding

kernels = st.sampled_from([1, 3, 5, 7])
shares = st.sampled_from([0.0, 0.0625, 0.25, 1.0])
skips = st.sampled_from([True, False, "pool"])
activations = st.sampled_from(get_args(Activation))

operators: st.SearchStrategy[Operator] = st.one_of(
    st.builds(
        MBConv,
        kernel=kernels,
        expand=st.integers(1, 6),
        se=shares,
        skip=skips,
        se_activation=st.none() | activations,
    ),
    st.builds(ConvBlock, kernel=kernels, se=shares, skip=skips, se_activation=st.none() | activations),
    st.builds(
        FusedMBConv,
        kernel=kernels,
        expand=st.integers(1, 4),
        skip=st.booleans(),
        expand_from=st.sampled_from(["input", "output"]),
    ),
    st.builds(SeparableConv, kernel=kernels),
    st.builds(Basic, kernel=kernels),
    st.builds(Bottleneck, kernel=kernels, reduce=st.integers(1, 4)),
)

stages = st.builds(
    Stage, operator=operators, layers=st.integers(1, 3), channels=st.integers(1, 24), stride=st.integers(1, 3)
)
stems = st.builds(Stem, channels=st.integers(1, 24), kernel=kernels, stride=st.integers(1, 3), max_pool=st.booleans())


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A small random network with a resolution that is often odd and never below its total stride."""
    stem, rows = draw(stems), tuple(draw(st.lists(stages, min_size=1, max_size=3)))
    least = stem.stride * (2 if stem.max_pool else 1)
    for stage in rows:
        least *= stage.stride
    return Network(
        stem=stem,
        stages=rows,
        head=Head(channels=draw(st.none() | st.integers(1, 32))),
        classes=draw(st.integers(1, 11)),
        in_channels=draw(st.integers(1, 5)),
        resolution=draw(st.integers(least, least + 40)),
        activation=draw(activations),
        norm_eps=draw(st.sampled_from([1e-3, 1e-5])),
        padding=draw(st.sampled_from(get_args(Padding))),
    )
