"""Which ConvNet fits my budget? Compound scaling of any network, exact costs, real weights.

A network is a value; scaling and cost are functions on values; PyTorch is imported only where a
value is built. What needs PyTorch loads when first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from .budget import Budget as Budget
from .cost import CONVENTION as CONVENTION
from .cost import Cost as Cost
from .cost import by_layer as by_layer
from .cost import by_stage as by_stage
from .cost import cost as cost
from .families import MEMBERS as MEMBERS
from .families import member as member
from .families import named as named
from .network import Head as Head
from .network import Network as Network
from .network import Stage as Stage
from .network import Stem as Stem
from .network import unfold as unfold
from .operators import Basic as Basic
from .operators import Bottleneck as Bottleneck
from .operators import ConvBlock as ConvBlock
from .operators import FusedMBConv as FusedMBConv
from .operators import MBConv as MBConv
from .operators import Operator as Operator
from .operators import SeparableConv as SeparableConv
from .operators import Site as Site
from .preprocess import Preprocess as Preprocess
from .rules import COMPOUND as COMPOUND
from .rules import RULES as RULES
from .rules import Rule as Rule
from .scaling import Rounding as Rounding
from .scaling import Scaling as Scaling
from .scaling import scale as scale

if TYPE_CHECKING:
    from .accuracy import Law as Law
    from .accuracy import Point as Point
    from .accuracy import accuracy_law as accuracy_law
    from .building import build as build
    from .building import reset_classifier as reset_classifier
    from .cam import class_activation_map as class_activation_map
    from .devices import Device as Device
    from .devices import Roofline as Roofline
    from .devices import latency as latency
    from .devices import load_device as load_device
    from .engines import Prepared as Prepared
    from .engines import Setting as Setting
    from .engines import prepare as prepare
    from .measuring import Measurement as Measurement
    from .measuring import measure as measure
    from .prediction import predict as predict
    from .prediction import predictions as predictions
    from .solving import Ranges as Ranges
    from .solving import explain as explain
    from .solving import front as front
    from .solving import largest_phi as largest_phi
    from .solving import predicted as predicted
    from .solving import solve as solve
    from .solving import surface as surface
    from .solving import thinned as thinned
    from .solving.stages import Choices as Choices
    from .solving.stages import Elastic as Elastic
    from .solving.stages import Nearest as Nearest
    from .solving.stages import solve_stages as solve_stages
    from .solving.stages import stage_choices as stage_choices
    from .weights import Pretrained as Pretrained
    from .weights import Weights as Weights
    from .weights import load as load
    from .weights import save as save

# NumPy and PyTorch begin here: name -> the module that holds it. No module is named like what it offers.
_LAZY = {
    "Law": "accuracy",
    "Point": "accuracy",
    "accuracy_law": "accuracy",
    "build": "building",
    "reset_classifier": "building",
    "class_activation_map": "cam",
    "Device": "devices",
    "Roofline": "devices",
    "latency": "devices",
    "load_device": "devices",
    "Prepared": "engines",
    "Setting": "engines",
    "prepare": "engines",
    "Measurement": "measuring",
    "measure": "measuring",
    "predict": "prediction",
    "predictions": "prediction",
    "Ranges": "solving",
    "explain": "solving",
    "front": "solving",
    "largest_phi": "solving",
    "predicted": "solving",
    "solve": "solving",
    "surface": "solving",
    "thinned": "solving",
    "Choices": "solving.stages",
    "Elastic": "solving.stages",
    "Nearest": "solving.stages",
    "solve_stages": "solving.stages",
    "stage_choices": "solving.stages",
    "Pretrained": "weights",
    "Weights": "weights",
    "load": "weights",
    "save": "weights",
}

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'compoundnet' has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
