"""The command that writes weights in another format: convert."""

import sys
from typing import TYPE_CHECKING

from compoundnet.schema import encode

from .dating import today
from .output import safe, write, write_json, write_table
from .sources import for_weights

if TYPE_CHECKING:
    from compoundnet.weights import Converted


def convert(
    weights: str,
    to: str,
    out: str,
    network: str | None = None,
    force: bool = False,
    verbose: bool = False,
    json: bool = False,
) -> int:
    """Write weights with the names of another ecosystem, if the new file gives the same answers back.

    Args:
        to: compoundnet, torchvision, timm, lukemelas, mmpretrain or keras: whose names the new file has
        out: the file to write: .safetensors; or .pth, which holds plain tensors only; for Keras .h5
        network: the network of a file that is none of the families': a name or its JSON file
    """
    from compoundnet.weights import convert as convert_weights

    done = convert_weights(weights, to, out, network=for_weights(network), force=force, date=today())
    if json:
        write_json(_as_json(done))
        return 0
    if verbose:
        write_table(["In the original", "In the new file"], [[safe(old), safe(new)] for old, new in done.keys])
    for line in str(done).splitlines():
        write(safe(line))
    if done.recognised and any(line.startswith("padding") for line in done.assumed):
        sys.stderr.write("compoundnet: what was assumed is part of the answer: check it before the file is passed on\n")
    return 0


def _as_json(done: "Converted") -> dict[str, object]:
    about = {"path": str(done.path), "format": done.format, "bytes": done.bytes, "sha256": done.sha256}
    said = {"recognised": done.recognised, "adapted": done.adapted, "assumed": done.assumed, "notes": done.notes}
    return {**about, **said, "parity": encode(done.parity), "keys": dict(done.keys), "weights": done.weights.to_dict()}
