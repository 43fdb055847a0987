"""OpenVINO's Core, one for the whole process."""

import threading
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino as ov

_FIRST = threading.Lock()


def openvino_core() -> "ov.Core":
    """The Core that reads and compiles everything, kept until the process ends.

    Its CPU plug-in gives the thread that loads it another stack for signals and unmaps that stack when it is unloaded,
    in whichever thread this happens. The next signal, Ctrl-C or a child's end, would then kill the process
    (seen with OpenVINO 2026.4.1). A plug-in that is never unloaded does not.
    """
    with _FIRST:  # ``cache`` alone lets two threads make one each
        return _core()


@cache
def _core() -> "ov.Core":
    import openvino as ov

    return ov.Core()
