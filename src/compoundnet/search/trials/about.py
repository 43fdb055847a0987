"""What a study searches, kept with it as values: its space and objective. Digests say that two differ, not what is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compoundnet.scaling import Rounding
from compoundnet.schema import FieldError, decode, encode
from compoundnet.search.objective import Objective
from compoundnet.search.space import Choice, Space

from .job import Job, Tasks

if TYPE_CHECKING:
    from .study import Study

ABOUT = "compoundnet about"  # an attribute of a study in Optuna's storage


@dataclass(frozen=True)
class About:
    """The space of a study's points, what its trials are rewarded for, and how its networks are scaled later.

    Studies that were kept by an earlier version do not say the last; ``rounding`` is None then.
    """

    space: Space
    objective: Objective
    rounding: Rounding | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        choices = [[choice.name, list(choice.options)] for choice in self.space.choices]
        found = {"version": 1, "space": choices, "objective": encode(self.objective)}
        return found if self.rounding is None else {**found, "rounding": encode(self.rounding)}

    @staticmethod
    def from_dict(data: object) -> "About":
        """What ``to_dict`` gave. Raises FieldError for anything else."""
        if not isinstance(data, Mapping) or not isinstance(data.get("space"), list):
            raise FieldError("space", "missing; this says nothing about a study")
        try:
            choices = tuple(Choice(name, tuple(options)) for name, options in data["space"])
        except (TypeError, ValueError) as error:
            raise FieldError("space", f"is no list of choices ({error})") from None
        rounding = decode(Rounding, data["rounding"]) if "rounding" in data else None
        return About(Space(choices), decode(Objective, data.get("objective")), rounding)


def keep_about(study: "Study", job: Job | Tasks) -> None:
    """Write what a job searches to its study, unless that is written there; a list of tasks searches no space.

    Space and objective are the study's for good; the rounding is that of the search that went on with it last.
    """
    if isinstance(job, Tasks):
        return
    store = study.store

    def write() -> None:
        number = store.storage.get_study_id_from_name(study.name)
        about = About(job.problem.space, job.objective, job.rounding).to_dict()
        if store.storage.get_study_user_attrs(number).get(ABOUT) != json.loads(json.dumps(about)):
            store.storage.set_study_user_attr(number, ABOUT, about)

    store.keep_trying(write)
