"""The processor: whether it has the dot products that make int8 fast, and what else a figure depends on."""

import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
_VNNI = ("avx512_vnni", "avx_vnni")
_ARM = ("asimddp", "i8mm")
_PACKAGES = ("torch", "numpy", "onnx", "onnxruntime", "openvino")


def has_dot_products(cpuinfo: str) -> bool:
    """Whether a processor adds products of 8-bit numbers in 32 bits: VNNI on x86, dot products on ARM.

    Without them kernels on x86 add pairs of products in 16 bits and may saturate; weights are then
    given 7 bits. ``cpuinfo`` is the text of /proc/cpuinfo; what says nothing counts as without.

    >>> [has_dot_products(text) for text in ("flags : avx2 avx512_vnni", "flags : avx2", "")]
    [True, False, False]
    """
    flags = {
        word
        for line in cpuinfo.splitlines()
        if line.partition(":")[0].strip() in ("flags", "Features")
        for word in line.partition(":")[2].split()
    }
    return bool(flags.intersection(_VNNI + _ARM))


def here() -> bool:
    """``has_dot_products`` of this machine."""
    return CPUINFO.is_file() and has_dot_products(CPUINFO.read_text())


def versions() -> Mapping[str, str]:
    """What computed: Python, this library and the packages that are installed."""
    import compoundnet

    found = {"python": platform.python_version(), "compoundnet": compoundnet.__version__}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
