"""What each setting of a recipe does, as far as anybody has published a number."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Effect:
    """What is known of a setting. ``source`` is None where no number is known."""

    text: str
    source: str | None = None

    def __str__(self) -> str:
        return f"{self.text} [{self.source}]" if self.source else f"{self.text} (no number is known)"


_TPU = "tensorflow/tpu, models/official/efficientnet"
_TRICKS = "He et al. 2019, Table 1"
_AMONG = "one of the tricks that took ResNet-50 from 75.3 to 79.29 top-1 together; not measured by us alone"
_PACE = Effect("moves when the learning rate falls; 0.97 every 2.4 epochs ends 350 epochs at 0.0121 of the peak", _TPU)
_BETA = "decays batch gradients' squares or sums; the released code has 0.9 for both"
_ADVPROP = Effect(
    "adversarial copies: top-1 +0.5 (B0) to +0.9 (B7) over AutoAugment alone, at steps + 2 times the cost",
    "README of tensorflow/tpu; Xie et al. 2019",
)
_RANDAUGMENT = Effect("RandAugment's strength: larger networks take more, 17 for B5 and 28 for B7", _TPU)
_MIXED = Effect(f"mixes two pictures and their labels; {_AMONG}", _TRICKS)

EFFECTS: Mapping[str, Effect] = MappingProxyType(
    {
        "epochs": Effect("TIMM's B0 has 77.7 after 450 epochs, pycls's 75.1 after 100, with other settings too",
                         "timm; pycls model zoo"),
        "batch": Effect("fewer or more steps an epoch; up to 8,192 ResNet-50 loses nothing if the rate follows, "
                        "after a warm-up", "Goyal et al. 2017, abstract"),
        "accumulate": Effect("the same step in parts; only batch norms see smaller batches"),
        "optimizer.name": Effect("another rule of steps; the rate and decay of one mean nothing for another"),
        "optimizer.rate": Effect("the peak learning rate; RMSProp, SGD and AdamW need rates of different sizes"),
        "optimizer.per": Effect("the images that the rate is for: the peak is rate x batch / per", _TPU),
        "optimizer.warmup_epochs": Effect("keeps the first steps small; the staircase runs on meanwhile", _TPU),
        "optimizer.decay_kind": Effect(f"a cosine in place of steps; {_AMONG}", _TRICKS),
        "optimizer.decay": _PACE,
        "optimizer.decay_epochs": _PACE,
        "optimizer.momentum": Effect(_BETA, _TPU),
        "optimizer.rho": Effect(_BETA, _TPU),
        "optimizer.eps": Effect("inside the root; with PyTorch's rule (outside, mean square from 0) or a smaller one "
                                "the paper's rate is too high and training can diverge"),
        "optimizer.weight_decay": Effect("pulls all but batch norms towards 0; the released code has 1e-5", _TPU),
        "optimizer.clip_norm": Effect("bounds single bad steps; the paper clips nothing"),
        "augment.least_area": Effect("smaller crops regularise more; the released code has 0.08", _TPU),
        "augment.flip": Effect("mirrors; 0 where left and right mean something, as in text"),
        "augment.policy": Effect("AutoAugment: top-1 +0.4 (B0) to +0.5 (B5); RandAugment in its place: +0.1 (B5), "
                                 "+0.4 (B7)", "README of tensorflow/tpu"),
        "augment.layers": _RANDAUGMENT,
        "augment.magnitude": _RANDAUGMENT,
        "augment.mixup": _MIXED,
        "augment.cutmix": Effect("pastes a patch of another picture: ResNet-50 errs on 21.40 % of ImageNet, "
                                 "not 23.68", "Yun et al. 2019, README of clovaai/CutMix-PyTorch"),
        "augment.shift": Effect("moves small pictures by whole pixels, in place of crops"),
        "augment.cutout": Effect("hides a square: WideResNet-28-10 errs on 3.08 % of CIFAR-10 and not 3.87",
                                 "DeVries and Taylor 2017, README of uoguelph-mlrg/Cutout"),
        "advprop": _ADVPROP,
        "advprop.epsilon": _ADVPROP,
        "advprop.steps": _ADVPROP,
        "advprop.step_size": _ADVPROP,
        "ema_decay": Effect("without the average B5 scores 80 and not 83, B4 79.7 and not 82.6; it needs tens of "
                            "epochs before it leads", "tensorflow/tpu issue 408; qubvel/efficientnet issue 19"),
        "bn_momentum": Effect("how fast statistics follow; 0.99 in the released code, torch's default keeps 0.9: "
                              "ten times shorter memory", _TPU),
        "label_smoothing": Effect(f"targets a little less sure; {_AMONG}", _TRICKS),
        "dropout": Effect("before the classifier; 0.2 for B0 to 0.5 for B7, since larger networks overfit more",
                          "section 5.2 of the paper"),
        "drop_connect": Effect("drops whole branches of samples; 0.2 in the code, 0.3 in the paper's first version. "
                               "Other code counts N wrongly and drops up to 3.4 times too much",
                               "tensorflow/tpu issue 381; keras-applications issue 200"),
        "resolution": Effect("another side in training than in use; objects look larger in random crops, so a smaller "
                             "training side than testing side helps; not measured by us",
                             "Touvron et al. 2019, abstract"),
        "grow_from": Effect("smaller pictures first save time"),
        "patience": Effect("stops a run that no longer improves; the paper keeps the checkpoint that is best on "
                           "25,022 held-out images", "section 5.2 of the paper"),
        "precision": Effect("the released code calls bfloat16 +0.3 top-1, in a commit message only", "tensorflow/tpu"
                            " 80c0773"),
        "checkpointing": Effect("none on the result, to the last bit; a second forward pass of each block", "tests"),
        "seed": Effect("another draw: compare the spread of several seeds, not two runs"),
    }
)  # fmt: skip
