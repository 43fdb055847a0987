"""Devices: predicted latency of any network on an engine and machine, from a calibration or from two constants."""

from .device import Device as Device
from .device import Roofline as Roofline
from .fitting import fit as fit
from .latency import Timed as Timed
from .latency import counted as counted
from .latency import latency as latency
from .latency import timed as timed
from .record import from_dict as from_dict
from .record import load_device as load_device
from .record import to_dict as to_dict
