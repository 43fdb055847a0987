"""The command that runs a model on pictures: predict."""

import sys
import time
import warnings
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compoundnet.schema import require_count

from .loading import loaded
from .output import safe, write, write_json
from .progress import progress
from .sharding import cores_each, shard_of
from .sources import lines

if TYPE_CHECKING:
    from compoundnet.prediction import Entry, Plan, Prediction, Run, Shard
    from compoundnet.weights import Pretrained

AUTO_FROM = 1000  # pictures; for fewer, starting another engine takes longer than it saves
_LIST_BYTES = 1_000_000_000


def predict(
    paths: Sequence[str] = (),
    model: str = "efficientnet_lite0",
    top: int = 5,
    out: str | None = None,
    files_from: str | None = None,
    shard: str | None = None,
    workers: int | None = None,
    batch: int | None = None,
    engine: str | None = None,
    network: str | None = None,
    labels: str | None = None,
    exact: bool = False,
    json: bool = False,
) -> int:
    """Name the most probable classes of pictures.

    Args:
        model: a name with weights (see models) or a weights file; default: efficientnet_lite0
        top: how many classes to name; default: 5
        out: write the answers to this .csv or .jsonl file as they come, and go on with it when it was begun before
        files_from: a text file that names more paths, one a line; - for standard input
        shard: do one share of the list: 0/8 the first of eight, or env, as torchrun or Slurm number this process
        workers: how many threads decode and compute; default: one for each core
        batch: how many pictures each of them runs at once; default: what is fastest
        engine: torch, onnxruntime, openvino, compile, aot, auto (the fastest), or model (PyTorch as it is)
        network: the network of a bare weights file, by name or JSON file; default: recognised
        labels: a text file with one class name a line, in the order of the outputs
    """
    chosen = shard_of(shard)
    if out is not None:
        _require_place(out, chosen)
    whole = _entries(paths, files_from)
    entries = chosen.of(whole)
    pretrained = _loaded(model, network, labels, top, batch, workers)
    run = _Running(pretrained, top, exact, engine, batch, cores_each(shard) if workers is None else workers)
    if out is not None:
        return _to_file(out, entries, run, run.identity(chosen, whole), json)
    with _quiet(), closing(run.answers(entries, printed=not json)) as answers:
        return _to_output(answers, json)


class _Running:
    """A model with the options that its answers and its speed depend on."""

    def __init__(
        self,
        pretrained: "Pretrained",
        top: int,
        exact: bool,
        engine: str | None,
        batch: int | None,
        workers: int | None,
    ) -> None:
        from compoundnet.prediction import require_possible

        require_possible(pretrained, None if engine in (None, "auto", "model") else engine)
        self.pretrained = pretrained
        self._top, self._exact = top, exact
        self._engine, self._batch, self._workers = engine, batch, workers

    def answers(self, entries: "Sequence[Entry]", printed: bool) -> "Generator[Prediction]":
        """The answers, with progress on stderr unless they are ``printed`` on the same terminal as they come."""
        from compoundnet.prediction import answered

        planned = self._plan(len(entries))
        silent = printed and sys.stdout.isatty() and sys.stderr.isatty()
        with progress(f"pictures on {planned}", silent=silent) as on_done:
            found = answered(entries, self.pretrained, planned, top=self._top, exact=self._exact)
            for done, answer in enumerate(found, 1):
                yield answer
                on_done(done, len(entries))

    def _plan(self, pictures: int) -> "Plan":
        from compoundnet.prediction import plan

        engine = self._engine or ("auto" if pictures >= AUTO_FROM else "model")
        if engine == "auto":
            sys.stderr.write("compoundnet: choosing the fastest engine; the choice is kept for the next time\n")
        options = {"batch": self._batch, "workers": self._workers, "pictures": pictures}
        return plan(self.pretrained, engine=None if engine == "model" else engine, **options)

    def identity(self, shard: "Shard", whole: "Sequence[Entry]") -> "Run":
        """What goes beside a file of answers to this shard of the whole list."""
        from compoundnet.prediction import Run
        from compoundnet.weights.hashing import json_sha256, tensors_sha256

        weights = self.pretrained.weights
        return Run(
            model=weights.name,
            tensors_sha256=tensors_sha256(self.pretrained.model),
            network_sha256=json_sha256(self.pretrained.model.network.to_dict()),
            classes_sha256=json_sha256(weights.classes),
            preprocess=weights.preprocess,
            top=min(self._top, self.pretrained.model.network.classes),
            exact=self._exact,
            shard=shard,
            list_sha256="" if shard.count == 1 else json_sha256([entry.path for entry in whole]),
        )


def _to_file(out: str, entries: "Sequence[Entry]", run: _Running, identity: "Run", json: bool) -> int:
    """Append what is not in the file yet; say how much there was and is."""
    from compoundnet.prediction import ledger, shard_path

    path, start = shard_path(out, identity.shard), time.monotonic()
    with ledger(path, identity) as file:
        left = [entries[place] for place in file.left([entry.path for entry in entries])]
        before = len(entries) - len(left)
        if left:
            with _quiet(), _goes_on(path), closing(run.answers(left, printed=False)) as answers:
                for answer in answers:
                    file.write(answer)
    rate = len(left) / (time.monotonic() - start)
    counts = {"pictures": len(entries), "before": before, "failed": file.failed}
    if json:
        write_json({"out": str(path), **counts, "per_second": round(rate, 2)})
    else:
        there = f", {before:,} of them before" if before else f", {rate:.1f} a second"
        write(f"{len(entries):,} picture{'' if len(entries) == 1 else 's'}{there}, {file.failed:,} failed: {path}")
    return 1 if file.failed else 0


def _to_output(answers: "Iterator[Prediction]", json: bool) -> int:
    """Print every answer as it comes; one JSON array at the end."""
    done = failed = 0
    kept: list[dict[str, Any]] = []
    for answer in answers:
        done, failed = done + 1, failed + (answer.error is not None)
        if json:
            kept.append(answer.to_dict())
        else:
            _print(answer)
    if json:
        write_json(kept)
    if failed:
        sys.stdout.flush()
        sys.stderr.write(f"compoundnet: error: {failed} of {done} pictures failed, {done - failed} done\n")
    return 1 if failed else 0


def _entries(paths: Sequence[str], files_from: str | None) -> "list[Entry]":
    from compoundnet.prediction import expand

    named = [*paths, *(lines(files_from, "the list of pictures", _LIST_BYTES) if files_from is not None else ())]
    if not (paths or files_from is not None):
        raise ValueError("PATHS is missing; name pictures, folders or globs, or a list with --files-from")
    return expand(name for name in named if name)


def _loaded(
    model: str, network: str | None, labels: str | None, top: int, batch: int | None, workers: int | None
) -> "Pretrained":
    """The weights, with the class names of a file where one is given."""
    require_count(top, "top")
    for value, name in ((batch, "batch"), (workers, "workers")):
        if value is not None:
            require_count(value, name)
    pretrained = loaded(model, network)
    if labels is None:
        return pretrained
    names = lines(labels, "class names")
    return replace(pretrained, weights=replace(pretrained.weights, classes=tuple(names)))


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="PIL")  # of odd metadata in pictures that are fine
        yield


@contextmanager
def _goes_on(path: Path) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"compoundnet: {path}: the same command goes on with it\n")
        raise


def _require_place(out: str, shard: "Shard") -> None:
    """Before the work: a name that can be no file of answers is an error at once."""
    from compoundnet.prediction import shard_path
    from compoundnet.prediction.ledger import require_place

    require_place(shard_path(out, shard))


def _print(prediction: "Prediction") -> None:
    if prediction.error is not None:
        sys.stdout.flush()
        sys.stderr.write(f"compoundnet: error: {prediction.error}\n")
        return
    lines = [f"  {100 * t.probability:5.1f} %  {safe(t.label)} ({t.index})" for t in prediction.top]
    write("\n".join([safe(prediction.path), *lines]))
