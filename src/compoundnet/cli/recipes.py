"""The command on recipes as values: list, show, diff and scale. None of it needs PyTorch."""

import json as json_
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from compoundnet.recipes import RECIPES, Entry, Letterhead, Recipe, Rescaled, diff, entry, scaled, settings
from compoundnet.schema import FieldError, decode, encode, near, shown

from .output import whole, write, write_json, write_table
from .sources import json_of, text

_ACTIONS = {"list": 0, "show": 1, "diff": 2, "scale": 1}
# What remembers more of the run than this still holds its start. An average's window grows from 1 step: it may more.
_LONG_AVERAGE, _LONG_NORMS = 1 / 3, 0.1
_UNKNOWN = "unknown"
_RECIPE = r"""--recipe ('([^']|'"'"')*'|\S+)"""  # in a command, as shlex.quote writes a file's name


def recipe(
    what: list[str],
    batch: int | None = None,
    epochs: float | None = None,
    images: int | None = None,
    out: str | None = None,
    json: bool = False,
) -> int:
    """List the known training recipes, show or compare them, or rescale one for another batch or length.

    Args:
        batch: scale: images a step over all devices and parts
        epochs: scale: how many times all images are seen
        images: scale and show: the training images there are; default: as many as the recipe was made for
        out: scale: write the recipe to this JSON file
    """
    action, *names = what
    if action not in _ACTIONS:
        raise ValueError(f"unknown action {shown(action)}; {near(action, _ACTIONS)}")
    if len(names) != _ACTIONS[action]:
        wanted = ("no recipe", "one recipe", "two recipes")[_ACTIONS[action]]
        raise ValueError(f"recipe {action} takes {wanted}, got {len(names)}; names are in: compoundnet recipe list")
    given = {"--batch": batch, "--epochs": epochs, "--images": images, "--out": out}
    allowed = {"scale": given.keys(), "show": {"--images"}}.get(action, set())
    for option, value in given.items():
        if value is not None and option not in allowed:
            raise ValueError(f"{option} does not go with recipe {action}; leave it out, or use recipe scale")
    entries = [read(name) for name in names]
    if action == "list":
        return _list(json)
    if action == "show":
        return _show(names[0], entries[0], images, json)
    if action == "diff":
        return _diff(names, [each.recipe for each in entries], json)
    if batch is None and epochs is None and images is None:
        raise ValueError("nothing to scale to; give --batch, --epochs or --images")
    before = _made_for(names[0], entries[0])
    images = before if images is None else images
    done = scaled(entries[0].recipe, batch=batch, epochs=epochs, images=images, from_images=before)
    return _scale(names[0], done, _headed(names[0], entries[0].letterhead, images, out), out, json)


def read(name: str) -> Entry:
    """The recipe of that name, or in that JSON file: its fields, or ``recipe`` and ``letterhead`` or ``images``.

    Of its fields alone nobody can say for how many images it was made; ImageNet's are taken, and the commands that
    count steps say so. Raises ValueError, one line, when there is none.
    """
    path = Path(name)
    if name in RECIPES or not (path.exists() or path.suffix == ".json"):
        return entry(name)
    if path.is_dir() or not path.exists():
        raise ValueError(f"{name}: {'a folder' if path.is_dir() else 'no such file'}; name a recipe's JSON file")
    data = json_of(name, text(path, "a recipe is JSON"), "a recipe is a JSON object, as recipe show --json writes it")
    inner = isinstance(data, dict) and isinstance(data.get("recipe"), dict)
    try:
        found = decode(Recipe, data["recipe"] if inner else data)
        if inner and data.get("letterhead"):
            return Entry(recipe=found, letterhead=decode(Letterhead, data["letterhead"]))
        command = f"compoundnet train NET --recipe {shlex.quote(name)} --data DIR --out RUN"
        head = Letterhead(command=command, expected=_UNKNOWN, source=_UNKNOWN)
        if inner and "images" in data:
            head = replace(head, images=data["images"], source=name)
        return Entry(recipe=found, letterhead=head)
    except FieldError as error:
        raise ValueError(f"{name}: {error}") from None


def _made_for(name: str, found: Entry) -> int:
    """The images that a recipe was made for; said where a file does not say it."""
    images = found.letterhead.images
    if found.letterhead.source == _UNKNOWN:
        form = '{"recipe": ..., "images": N}'
        assumed = f"does not say for how many images it was made; {images:,} are assumed, as ImageNet has"
        sys.stderr.write(f"compoundnet: {name}: {assumed}; a file says it as {form}\n")
    return images


def _headed(name: str, before: Letterhead, images: int, out: str | None) -> Letterhead:
    """The letterhead of a rescaled recipe: its command, with the file, and the images that it is made for."""
    file = f"--recipe {shlex.quote(out or 'FILE')}"
    command = re.sub(_RECIPE, lambda _: file, before.command)
    source = f"{name}, rescaled; {before.source}"
    return Letterhead(command=command, expected="not measured", source=source, images=images)


def _list(json: bool) -> int:
    if json:
        write_json([{"name": name, "letterhead": encode(each.letterhead)} for name, each in RECIPES.items()])
        return 0
    rows = [
        (
            name,
            f"{each.recipe.epochs:g}",
            f"{each.recipe.batch:,}",
            each.recipe.optimizer.name,
            each.letterhead.expected,
        )
        for name, each in RECIPES.items()
    ]
    write_table(("Name", "Epochs", "Batch", "Optimizer", "Expected"), rows)
    return 0


def _show(name: str, found: Entry, images: int | None, json: bool) -> int:
    images = _made_for(name, found) if images is None else images
    rates = curve(found.recipe, images)
    if json:
        points = [{"epoch": epoch, "step": step, "rate": rate} for epoch, step, rate in rates]
        write_json({**encode(found), "images": images, "rates": points})
        return 0
    head = found.letterhead
    write(f"{name}\nSource: {head.source}\nCommand: {head.command}\nHardware: {head.hardware}; time: {head.time}")
    write(f"Expected: {head.expected}\n")
    write_table(("Setting", "Value"), [(path, _value(value)) for path, value in settings(found.recipe).items()])
    write(f"\nLearning rate, with {images:,} images:")
    write_table(("Epoch", "Step", "Rate"), [(f"{epoch:g}", f"{step:,}", f"{rate:.6g}") for epoch, step, rate in rates])
    write(_windows(found.recipe, images))
    return 0


def curve(recipe: Recipe, images: int) -> list[tuple[float, int, float]]:
    """The learning rate at a few epochs, as (epoch, step, rate): warm-up, first decay, quarters, the last step."""
    if images < recipe.batch:
        raise ValueError(
            f"{images:,} images do not fill one step of {recipe.batch:,}; give --images or a smaller batch"
        )
    schedule, each = recipe.schedule, images // recipe.batch
    warm, last = schedule.warmup_epochs, schedule.steps(each) - 1
    epochs = {0.0, warm / 2, warm, 2 * schedule.decay_epochs, *(recipe.epochs * k / 4 for k in (1, 2, 3))}
    steps = sorted({min(last, int(epoch * each)) for epoch in epochs} | {last})
    return [(round(step / each, 2), step, schedule.at(step, each, recipe.batch)) for step in steps]


def _windows(recipe: Recipe, images: int) -> str:
    """How long the moving average and the batch norms remember."""
    norms = _window("batch norms remember", recipe.bn_momentum, recipe, images, _LONG_NORMS)
    if recipe.ema_decay is None:
        return f"No moving average.\n{norms}"
    return f"{_window('moving average remembers', recipe.ema_decay, recipe, images, _LONG_AVERAGE)}\n{norms}"


def _window(what: str, decay: float, recipe: Recipe, images: int, most: float) -> str:
    steps, each = 1 / (1 - decay), images // recipe.batch
    share = steps / recipe.schedule.steps(each)
    line = f"The {what} {steps:,.0f} steps, {steps / each:.3g} epochs, {share:.1%} of the run."
    # As printed, so that a window cut to the limit is not too long by its last digits.
    return f"{line} That is long: it still holds the start; rescale the recipe." if round(share, 3) > most else line


def _diff(names: list[str], recipes: list[Recipe], json: bool) -> int:
    found = diff(*recipes)
    if json:
        write_json([encode(each) for each in found])
        return 0
    if not found:
        write(f"{names[0]} and {names[1]} are the same.")
        return 0
    for each in found:
        write(f"{each.path}: {_value(each.first)} | {_value(each.second)}\n    {each.effect}")
    write(f"{len(found)} settings differ: {names[0]} | {names[1]}")
    return 0


def _scale(name: str, done: Rescaled, head: Letterhead, out: str | None, json: bool) -> int:
    images = head.images
    curve(done.recipe, images)  # refuses a step of more images than there are
    record = encode(Entry(recipe=done.recipe, letterhead=head))
    if out is not None:
        with whole(out) as file:
            file.write(json_.dumps(record, indent=2) + "\n")
    if json:
        write_json({**record, "images": images, "changes": [encode(change) for change in done.changes]})
        return 0
    write(f"{name}, for {images:,} images")
    rows = [(each.path, _value(each.before), _value(each.after)) for each in done.changes]
    write_table(("Setting", "Before", "After"), rows)
    for each in done.changes:
        if each.why != "asked for":
            write(f"{each.path}: {each.why}.")
    write(_windows(done.recipe, images) if done.changes else "Nothing changes.")
    if out is not None:
        write(f"Written to {out}")
    return 0


def _value(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.10g}"
    return f"{value:,}" if type(value) is int else str(value)
