"""Store: Optuna's storage with studies whose trials are shared, behind calls that wait for a lost database."""

import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

from compoundnet.operators import OPERATORS
from compoundnet.schema import shown

from .failing import Patience, TrialsError, quiet
from .records import Reading
from .study import Study

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

T = TypeVar("T")
AGAIN = "compoundnet again "  # and a number that nobody else has
IDENTITY = "compoundnet identity "  # and the digest: what is written under it is never overwritten


@dataclass(frozen=True, kw_only=True)
class Place:
    """How another process opens the same store."""

    where: str
    spill: Path
    patience: Patience
    operators: Mapping[str, type] = field(default_factory=dict)  # a user's own, by name


def beside(journal: str) -> Path:
    """The folder for results that a journal did not take, and for no other store's."""
    return Path(f"{journal}.unwritten").absolute()


@dataclass(frozen=True)
class Store:
    """Studies by name. Made by ``open_store``; ``name`` is its address as it may be shown.

    A context that closes the connections to a database at its end.
    """

    place: Place
    name: str
    storage: "BaseStorage" = field(repr=False)
    say: Callable[[str], None] = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @cached_property
    def reading(self) -> Reading:
        """What reads this store's trials."""
        return Reading({**OPERATORS, **self.place.operators})

    def is_mine(self, kept_for: str) -> bool:
        """Whether a result in the spill folder is this store's, by the name that the store had then.

        A journal may be named by another path, and be moved with the folder beside it.
        """
        return kept_for == self.name or self.place.spill == beside(self.place.where)

    def close(self) -> None:
        """Close the connections; the next call would open them again."""
        from optuna.storages import RDBStorage

        self.storage.remove_session()
        if isinstance(self.storage, RDBStorage):
            self.storage.engine.dispose()

    def keep_trying(self, call: Callable[[], T]) -> T:
        """What ``call`` gives. Raises StoreLostError when the store does not answer for long."""
        return self.place.patience.keep_trying(call, self.name, self.say)

    def study(self, name: str, identity: Mapping[str, str]) -> Study:
        """The study of that name, made if there is none.

        ``identity`` has digests of what its trials depend on, such as space, objective, data and recipe. Raises
        TrialsError when the name stands for another, and says which of them differ.
        """
        if not name or name != name.strip() or len(name) > 200 or not name.isprintable():
            raise TrialsError(f"{shown(name)} is no name for a study; give a short word, such as search-1")
        made = self.keep_trying(lambda: self._made(name))
        key = IDENTITY + hashlib.sha256(json.dumps(dict(identity), sort_keys=True).encode()).hexdigest()[:16]
        if not self._identities(name):
            self.keep_trying(lambda: self.storage.set_study_user_attr(made, key, dict(identity)))
        for other in self._identities(name):
            if differing := sorted(k for k in {*other, *identity} if other.get(k) != identity.get(k)):
                raise TrialsError(
                    f"study {shown(name)} in {self.name} was begun with another {' and '.join(differing)}; "
                    "choose another name (--study), or search as it was begun"
                )
        return Study(self, name, identity)

    def study_names(self) -> list[str]:
        """All of ours, oldest first. Raises what Optuna raises when the store does not answer."""
        return list(self.reopened())

    def reopened(self) -> dict[str, list[int]]:
        """All of our studies by name, oldest first, with the numbers of results that are to be done again."""
        found = {each.study_name: each.user_attrs for each in self.storage.get_all_studies()}
        ours = {name: attrs for name, attrs in found.items() if any(key.startswith(IDENTITY) for key in attrs)}
        return {
            name: [number for key, numbers in attrs.items() if key.startswith(AGAIN) for number in numbers]
            for name, attrs in ours.items()
        }

    def reopen(self, name: str, numbers: Sequence[int]) -> None:
        """Note that results of a study are to be done again: under a key of its own, as nothing is overwritten."""
        number, key = self.storage.get_study_id_from_name(name), f"{AGAIN}{uuid.uuid4().hex}"
        self.keep_trying(lambda: self.storage.set_study_user_attr(number, key, list(numbers)))

    def _identities(self, name: str) -> list[Mapping[str, str]]:
        number = self.storage.get_study_id_from_name
        attributes = self.keep_trying(lambda: self.storage.get_study_user_attrs(number(name)))
        return [value for key, value in attributes.items() if key.startswith(IDENTITY)]

    def _made(self, name: str) -> int:
        from optuna.exceptions import DuplicatedStudyError
        from optuna.study import StudyDirection

        try:
            return self.storage.get_study_id_from_name(name)
        except KeyError:
            pass
        try:
            with quiet():
                return self.storage.create_new_study([StudyDirection.MAXIMIZE], name)
        except DuplicatedStudyError:  # another worker was first
            return self.storage.get_study_id_from_name(name)
