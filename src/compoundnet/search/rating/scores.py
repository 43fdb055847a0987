"""Proxies of many networks; kept in a file, so that who is interrupted goes on."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from compoundnet.network import Network
from compoundnet.search.proxies import noise, proxies
from compoundnet.search.proxies.batches import PICTURES
from compoundnet.search.trial import digest

OnDone = Callable[[int, int], None]


def score_networks(
    networks: Sequence[Network],
    *,
    pictures: int = PICTURES,
    seed: int = 0,
    keep: Path | None = None,
    on_done: OnDone | None = None,
) -> list[Mapping[str, float]]:
    """Every network's counts and proxies on noise of its resolution, in their order.

    ``keep`` is a file with a line of JSON for each that is done; those in it are not done again. Raises ValueError,
    one line, for a file that cannot be read or written.
    """
    keys = [digest([network.to_dict(), pictures, seed]) for network in networks]
    known = {} if keep is None else _read(keep)
    left = {key: network for key, network in zip(keys, networks, strict=True) if key not in known}
    for count, (key, network) in enumerate(left.items(), 1):
        known[key] = proxies(network, noise(network, pictures, seed), seed)
        if keep is not None:
            _append(keep, {"key": key, "scores": known[key]})
        if on_done is not None:
            on_done(count, len(left))
    return [known[key] for key in keys]


def _read(path: Path) -> dict[str, Mapping[str, float]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); name another file for the scores") from None
    found: dict[str, Mapping[str, float]] = {}
    for line in lines:
        try:
            told = json.loads(line)
            found[told["key"]] = {str(name): float(value) for name, value in told["scores"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # cut off when its writer was stopped: that network is done again
    return found


def _append(path: Path, line: Mapping[str, object]) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(("\n" if _torn(path) else "") + json.dumps(line) + "\n")
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror}); name another file for the scores") from None


def _torn(path: Path) -> bool:
    """Whether the last line was cut off."""
    with path.open("rb") as file:
        file.seek(0, 2)
        if file.tell() == 0:
            return False
        file.seek(-1, 2)
        return file.read(1) != b"\n"
