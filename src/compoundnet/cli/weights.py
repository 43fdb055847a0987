"""The command on published weights and the store: a table of its actions. None of it needs PyTorch."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from compoundnet.schema import near, shown

from . import listing, storing


@dataclass(frozen=True)
class _Action:
    """What runs for an action, and the options that go with it."""

    run: Callable[..., int]
    options: tuple[str, ...] = ()


def _list(names: Sequence[str], *, json: bool, stored: bool = False, **filters: str) -> int:
    """What is published, or with ``stored`` what is in the store."""
    if not stored:
        return listing.listed(names, json=json, **filters)
    if names or filters:
        raise ValueError("weights list --stored takes no names and no filters; it lists all that is in the store")
    return storing.contents(json=json)


_ACTIONS: Mapping[str, _Action] = MappingProxyType(
    {
        "list": _Action(_list, ("member", "ecosystem", "method", "licence", "file_name", "sha256", "stored")),
        "fetch": _Action(storing.fetch, ("lock", "locked", "mirror", "name", "sha256")),
        "verify": _Action(storing.verify, ("lock",)),
        "where": _Action(storing.where),
        "import": _Action(storing.bring, ("name", "lock")),
    }
)


def weights(
    request: list[str],
    member: str | None = None,
    ecosystem: str | None = None,
    method: str | None = None,
    licence: str | None = None,
    file_name: str | None = None,
    sha256: str | None = None,
    lock: str | None = None,
    locked: str | None = None,
    mirror: str | None = None,
    name: str | None = None,
    stored: bool = False,
    json: bool = False,
) -> int:
    """List the published EfficientNet weights, fetch them into a store, check it, and bring files by hand.

    Args:
        member: list: only those of this network, such as efficientnet_b0, or of a pattern, such as 'efficientnet_lite*'
        ecosystem: list: only those of tensorflow, keras, torchvision, timm, lukemelas or mmpretrain
        method: list: only those trained so: baseline, autoaugment, randaugment, advprop, noisystudent, ra and others
        licence: list: only those under this licence, such as Apache-2.0
        file_name: list: only those whose file has this name, now or formerly
        sha256: list: only those that a file with this SHA-256 (64 digits) can be; fetch of an address: its SHA-256
        lock: fetch and import: note in this lock file which bytes the names stand for; verify: check against it
        locked: fetch: take exactly the bytes that this lock file notes, all of them or those of the names
        mirror: fetch: an address or a folder in place of the known hosts; {host} in it is the host it replaces
        name: import, and fetch of an address: what the store calls the file
    """
    action, *rest = request
    if action not in _ACTIONS:
        raise ValueError(f"unknown action {shown(action)} of weights; {near(action, _ACTIONS)}")
    filters = {"member": member, "ecosystem": ecosystem, "method": method, "licence": licence}
    of_store = {"lock": lock, "locked": locked, "mirror": mirror, "name": name, "stored": stored or None}
    options = {**filters, "file_name": file_name, "sha256": sha256, **of_store}
    given: dict[str, Any] = {option: value for option, value in options.items() if value is not None}
    for option in given:
        if option not in _ACTIONS[action].options:
            fitting = " or ".join(f"weights {each}" for each, row in _ACTIONS.items() if option in row.options)
            raise ValueError(
                f"--{option.replace('_', '-')} does not go with weights {action}; leave it out, or use {fitting}"
            )
    return _ACTIONS[action].run(rest, json=json, **given)
