"""The network that weights are said to be of: itself, or a name of it."""

from pathlib import Path

from compoundnet.network import Network
from compoundnet.schema import FieldError, near, shown

from .catalogue import habit, known
from .errors import CheckpointError
from .repository import member_of

_TF = "tf_"


def network_of(given: Network | str | None, source: str | Path) -> Network | None:
    """The network that is given for the weights ``source``: a member of the families may be given by its name.

    A name of timm's that begins with ``tf_`` is the member with that model's padding and norm epsilon.
    Raises CheckpointError, one line with near names, for anything else.

    >>> network_of("tf_efficientnet_es", "a.pth").padding, network_of(None, "a.pth")
    ('same', None)
    """
    if given is None or isinstance(given, Network):
        return given
    if not isinstance(given, str):
        kind = type(given).__name__
        raise CheckpointError(f"{source}: network= takes a Network or the name of one (compoundnet models), not {kind}")
    if given in known():
        return known()[given]
    if not given.startswith(_TF):
        remedy = "or give a Network, of a JSON file Network.from_dict(json.load(file))"
        raise CheckpointError(f"{source}: unknown network {shown(given)}; {near(given, known())}; {remedy}")
    try:
        member = member_of(given)
    except FieldError as error:
        raise CheckpointError(f"{source}: unknown network: {error}") from None
    return habit("timm", member, _TF).network(known()[member])
