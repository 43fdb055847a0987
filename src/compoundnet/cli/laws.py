"""The accuracy law of a network, as commands take it and say it."""

from pathlib import Path
from typing import TYPE_CHECKING

from compoundnet.network import Network

from .sources import text

if TYPE_CHECKING:
    from compoundnet.accuracy import Law
    from compoundnet.solving import Forecast


def foreseen(network: Network, points: str | None) -> "Forecast":
    """The accuracy law of a network's family, which also knows the measured points of a CSV file.

    Raises ValueError, one line that begins with the file, for points that are none.
    """
    from compoundnet.accuracy import read_points
    from compoundnet.schema import FieldError
    from compoundnet.solving import forecast_of

    if points is None:
        return forecast_of(network)
    try:
        return forecast_of(network, read_points(text(Path(points), "own points are a CSV table")))
    except FieldError as error:
        raise ValueError(f"{points}: {error}") from None


def described(law: "Law") -> str:
    """The law in words: its group, and how many own points it knows."""
    count = len(law.own)
    own = f", with {count} own {'point' if count == 1 else 'points'}" if count else ""
    return f"{law.group or 'pooled over all families, as none was published for this network'}{own}"
