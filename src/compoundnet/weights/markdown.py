"""A model card in Markdown, as model hubs show it: a YAML head, then what a reader wants to know."""

import json
import re
from collections.abc import Iterator, Mapping

from compoundnet.cost import cost

from .cards import Provenance, lineage
from .records import Weights, in_percent

# What the Hugging Face hub calls these licences; any other is "other", with its own name beside it.
_HUB = {"apache-2.0": "apache-2.0", "mit": "mit", "bsd-3-clause": "bsd-3-clause", "cc-by-nc-4.0": "cc-by-nc-4.0"}
_UNKNOWN = ("", "unknown")
_TOP5 = 5  # of no more classes, all answers are among the first five
_SHOWN = 12


def to_markdown(weights: Weights) -> str:
    """The card of a set of weights: what it is, how it is used, where it comes from, under which licence.

    It states nothing that the record does not hold; what is unknown is called unknown.

    >>> from compoundnet.families import named
    >>> from compoundnet.preprocess import Preprocess
    >>> found = Weights(name="mine", network=named("tiny"), preprocess=Preprocess(size=(32, 32)), licence="MIT")
    >>> print(to_markdown(found).splitlines()[1])
    license: mit
    """
    parts = (_head(weights), [f"# {_text(weights.name)}", ""], _what(weights), _use(weights), _origin(weights))
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(weights: Weights) -> list[str]:
    """The YAML that a hub reads; every value is quoted as JSON, which is YAML too."""
    known = _HUB.get(weights.licence.lower())
    licence = (
        [f"license: {known}"] if known else ["license: other", f"license_name: {_yaml(weights.licence or 'unknown')}"]
    )
    tags = ["library_name: compoundnet", "pipeline_tag: image-classification", "tags:", "- compoundnet"]
    first = lineage(weights)[0]
    base = [f"base_model: {_yaml(first.name)}"] if "/" in first.name and first.name != weights.name else []
    return ["---", *licence, *tags, *base, "---", ""]


def _what(weights: Weights) -> list[str]:
    network, pre, counted = weights.network, weights.preprocess, cost(weights.network)
    rows = [
        ("Parameters", f"{counted.params:,}"),
        ("Multiply-adds", f"{counted.macs:,} at {network.resolution} x {network.resolution}"),
        ("Input", f"{network.in_channels} channels, {pre.size[0]} x {pre.size[1]} pixels"),
        ("Outputs", f"{network.classes:,}{_classes(weights)}"),
        ("Preprocessing", f"{pre.order.replace('_', ' ')}, crop {pre.crop:.3g}, {pre.interpolation}"),
        ("Mean, std", f"{_numbers(pre.mean)}; {_numbers(pre.std)}, of pixels from 0 to 1"),
        ("Padding, norm epsilon", f"{network.padding}, {network.norm_eps:g}"),
    ]
    rows += [(_text(name), value) for name, value in _figures(weights.metrics, network.classes)]
    return ["| | |", "| --- | --- |", *(f"| {name} | {_text(value)} |" for name, value in rows), ""]


def _classes(weights: Weights) -> str:
    names = weights.classes
    if not names:
        return ", without names"
    return f": {', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''}"


def _use(weights: Weights) -> list[str]:
    return [
        "## Use",
        "",
        "```python",
        "import compoundnet as c",
        "",
        'model = c.load("model.safetensors")',
        'print(c.predict(["picture.jpg"], model, top=3))',
        "```",
        "",
    ]


def _origin(weights: Weights) -> Iterator[str]:
    steps = lineage(weights)
    yield from ("## Where it comes from", "")
    for number, step in enumerate(steps, 1):
        yield f"{number}. **{_text(step.name)}**, {step.deed}{_when(step)}"
        yield from (f"   - {what}: {_text(value)}" for what, value in _details(step, weights.network.classes))
    licence = weights.licence if weights.licence not in _UNKNOWN else "unknown: ask where the weights come from"
    yield from ("", "## Licence", "", _text(licence))
    earlier = {step.licence for step in steps} - {weights.licence, *_UNKNOWN}
    if earlier:
        yield f"Weights that it was made from: {_text(', '.join(sorted(earlier)))}."


def _when(step: Provenance) -> str:
    return "".join(f", {_text(value)}" for value in (step.date, step.tool) if value)


def _figures(metrics: Mapping[str, float], classes: int) -> Iterator[tuple[str, str]]:
    """Figures as text; a top-5 that had to be 100 % says nothing, and no figure is minus nothing.

    >>> list(_figures({"validation_top5": 100.0, "validation_nll": -0.0}, 2)), list(_figures({"top5": 100.0}, 6))
    ([('validation_nll', '0')], [('top5', '100 %')])
    """
    for name, value in metrics.items():
        if not (classes <= _TOP5 and name.endswith("top5") and value == 100):
            yield name, f"{value + 0.0:g}{' %' if in_percent(name) else ''}"


def _details(step: Provenance, classes: int) -> Iterator[tuple[str, str]]:
    """What is known of a step."""
    recipe = " ".join(filter(None, (step.recipe, f"(SHA-256 {step.recipe_sha256})" if step.recipe_sha256 else "")))
    figures = ", ".join(f"{name} {value}" for name, value in _figures(step.metrics, classes))
    texts = {
        "from": step.source,
        "data": step.data,
        "recipe": recipe,
        "figures": figures,
        "licence": step.licence,
        "SHA-256 of the file": step.sha256,
        "SHA-256 of the tensors": step.tensors_sha256,
    }
    yield from ((what, value) for what, value in texts.items() if value)


def _numbers(values: tuple[float, ...]) -> str:
    return f"{values[0]:.4g}" if len(set(values)) == 1 else ", ".join(f"{value:.4g}" for value in values)


def _yaml(text: str) -> str:
    return json.dumps(text)


def _text(text: str) -> str:
    """A text from a file as one line that neither Markdown nor HTML takes for its own."""
    line = " ".join(part for part in re.split(r"\s+", text) if part)
    shown = "".join(sign if sign.isprintable() else "?" for sign in line)
    return re.sub(r"([\\`*_\[\]|<>#])", r"\\\1", shown)
