"""Trials: where they are kept, and the workers that make them. Optuna stores and distributes (the extra ``search``)."""

from .failing import StoreLostError as StoreLostError
from .failing import TrialsError as TrialsError
from .fronts import joined as joined
from .fronts import save_front as save_front
from .job import Job as Job
from .job import Limits as Limits
from .job import Tasks as Tasks
from .job import identity as identity
from .launching import launch as launch
from .opening import open_store as open_store
from .standing import Standing as Standing
from .store import Store as Store
from .study import Study as Study
from .working import Ended as Ended
from .working import work as work
