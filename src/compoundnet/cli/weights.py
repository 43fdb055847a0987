"""The command on published weights and the store: a table of its actions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from compoundnet.schema import near, shown

from . import storing


@dataclass(frozen=True)
class _Action:
    """What runs for an action, and the options that go with it."""

    run: Callable[..., int]
    options: tuple[str, ...] = ()


_ACTIONS: Mapping[str, _Action] = MappingProxyType(
    {
        "fetch": _Action(storing.fetch, ("lock", "locked", "mirror", "name", "sha256")),
        "verify": _Action(storing.verify, ("lock",)),
        "where": _Action(storing.where),
        "import": _Action(storing.bring, ("name", "lock")),
    }
)


def weights(
    request: list[str],
    lock: str | None = None,
    locked: str | None = None,
    mirror: str | None = None,
    name: str | None = None,
    sha256: str | None = None,
    json: bool = False,
) -> int:
    """Fetch published weights into the store, check them, say where they lie, or bring a file by hand.

    Args:
        lock: fetch and import: note in this lock file which bytes the names stand for; verify: check against it
        locked: fetch: take exactly the bytes that this lock file notes, all of them or those of the names
        mirror: fetch: an address or a folder in place of the known hosts; {host} in it is the host it replaces
        name: import, and fetch of an address: what the store calls the file
        sha256: fetch of an address: the SHA-256 that the file must have
    """
    action, *rest = request
    if action not in _ACTIONS:
        raise ValueError(f"unknown action {shown(action)} of weights; {near(action, _ACTIONS)}")
    options = {"lock": lock, "locked": locked, "mirror": mirror, "name": name, "sha256": sha256}
    given: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in _ACTIONS[action].options:
            fitting = " or ".join(f"weights {each}" for each, row in _ACTIONS.items() if option in row.options)
            raise ValueError(f"--{option} does not go with weights {action}; leave it out, or use {fitting}")
    return _ACTIONS[action].run(rest, json=json, **given)
