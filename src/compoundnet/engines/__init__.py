"""Engines: one model, run by whatever computes it fastest here. All give the same logits."""

from .choice import Choice as Choice
from .choice import choose as choose
from .folding import folded as folded
from .forms import to_onnx as to_onnx
from .prepared import Prepared as Prepared
from .prepared import prepare as prepare
from .setting import Setting as Setting
from .table import ENGINES as ENGINES
from .table import Engine as Engine
from .table import installed as installed
from .table import version as version
