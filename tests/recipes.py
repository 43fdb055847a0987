"""Recipes that tests begin from: any that can be, and the paper's."""

from hypothesis import strategies as st

from compoundnet.recipes import AdvProp, Augment, Optimizer, Recipe, entry

PAPER = entry("imagenet_b0").recipe
optimizers = st.builds(
    Optimizer,
    name=st.sampled_from(["rmsprop", "sgd", "adamw"]),
    rate=st.floats(1e-5, 1),
    per=st.integers(1, 4096),
    warmup_epochs=st.floats(0, 0.9),
    decay_kind=st.sampled_from(["staircase", "cosine", "constant"]),
    decay_epochs=st.floats(0.1, 10),
    clip_norm=st.none() | st.floats(0.1, 10),
)
recipes = st.builds(
    Recipe,
    epochs=st.floats(1, 500),
    batch=st.integers(1, 8192),
    optimizer=optimizers,
    augment=st.builds(Augment, policy=st.sampled_from(["none", "randaugment"]), mixup=st.floats(0, 1)),
    advprop=st.none() | st.builds(AdvProp, epsilon=st.floats(0.5, 8)),
    ema_decay=st.none() | st.floats(0.5, 0.9999),
    bn_momentum=st.floats(0.5, 0.999),
    patience=st.none() | st.integers(1, 50),
    seed=st.integers(0, 9),
)
