"""The parser: one sub-command per function, its options the function's parameters."""

import inspect
import re
from argparse import HelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, TypeAlias

from jsonargparse import ArgumentError, ArgumentParser

from compoundnet import __version__
from compoundnet.schema import near

from .activating import cam
from .architecture import search_architecture
from .calibrating import calibrate
from .checking import data
from .coefficients import search_coefficients
from .converting import convert
from .evaluating import evaluate
from .explaining import explain_network
from .exporting import export, verify
from .inspecting import inspect_file
from .memory import memory
from .networks import cost, models, scale, show
from .pareto import pareto_front
from .predicting import predict
from .proving import verify_solution
from .quantizing import quantize
from .rating import search_rate
from .recipes import recipe
from .reporting import search_report
from .serving import serve
from .sharding import merge
from .solving import solve_budget
from .spaces import search_space
from .timing import time
from .training import train
from .transferring import transfer
from .weights import weights

Command: TypeAlias = Callable[..., int]

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        "show": show,
        "cost": cost,
        "scale": scale,
        "models": models,
        "solve": solve_budget,  # named `solve`, jsonargparse would look at compoundnet.solve, and load NumPy
        "verify-solution": verify_solution,
        "pareto": pareto_front,
        "explain": explain_network,
        "calibrate": calibrate,
        "data": data,
        "predict": predict,
        "evaluate": evaluate,
        "cam": cam,
        "merge": merge,
        "time": time,
        "serve": serve,
        "export": export,
        "verify": verify,
        "train": train,
        "quantize": quantize,
        "recipe": recipe,
        "memory": memory,
        "transfer": transfer,
        "convert": convert,
        "inspect": inspect_file,
        "weights": weights,
        "search space": search_space,  # two words: an action of a group
        "search coefficients": search_coefficients,
        "search architecture": search_architecture,
        "search report": search_report,
        "search rate": search_rate,
    }
)
_GROUPS: Mapping[str, str] = MappingProxyType({"search": "Search for networks: what may be chosen, and what is best."})
_POSITIONAL: Mapping[str, tuple[str, str | None]] = MappingProxyType(
    {
        "nets": ("names of networks (see models), JSON files or weights files, timed in turn", "+"),
        "action": ("check: look at every picture, change nothing", None),
        "folder": ("a folder with one sub-folder of pictures a class, or train/ and val/ that hold them", None),
        "net": ("a network's name (see models), a JSON file, or - for standard input", None),
        "pattern": ("only the names that match, such as 'efficientnet_*'", "?"),
        "space": ("mnasnet, per_stage (around --base), or a JSON file that --save wrote", None),
        "networks": ("mnasnet, a network's name or JSON file (a space around it), or a search space's JSON file", None),
        "paths": ("picture files, folders or globs", "*"),
        "request": ("list; fetch NAME ...; verify [NAME ...]; where [NAME ...]; or import FILE ...", "+"),
        "what": ("list; show RECIPE; diff RECIPE RECIPE; or scale RECIPE (a name or a JSON file)", "+"),
        "parts": ("the files that predict --shard wrote, one for each shard", "+"),
        "file": ("a weights file, the folder of a training run, an exported model, or a name with weights", None),
        "artefact": ("a file that export wrote", None),
        "store": (
            "a search's journal file, postgresql://user@host/database, or a folder of trials; for rate a trials.csv",
            None,
        ),
        "solution": ("a file that solve wrote, or - for standard input", None),
        "weights": ("a name with weights (see models), a weights file, or the folder of a training run", None),
    }
)
_FLAGS = MappingProxyType(
    {
        "checkpointing": "keep only the blocks' inputs and compute the rest again in the backward pass",
        "no_average": "keep no moving average of the weights",
        "check": "run two training steps on this machine and measure what torch allocates in the second",
        "json": "write JSON to standard output and nothing else",
        "with_preprocess": "put decoding and resizing of a JPEG of 500 x 375 pixels on the clock too",
        "patient": "let auto try the engines that compile for minutes too",
        "why": "also list the stages by time, and say what bounds each",
        "include_preprocess": "let the graph take uint8 pictures of any size, and resize, crop and normalise them",
        "cam": "a second output: class activation maps of every class",
        "random_weights": "take a network's name or JSON file, with weights that nobody trained",
        "by_stage": "let one stage grow before another: more depths for a small network, where uniform ones are few",
        "per_stage": "choose the width and the repeats of every stage by themselves (--depth and --width: 0.5:2 each)",
        "quick": "measure a quarter of the samples, more briefly",
        "no_recheck": "trust the device file, without measuring a few samples of it again",
        "resume": "go on with the run in --out from its newest state",
        "no_proxies": "leave the zero-cost proxies out, which build every network",
        "unchecked": "do not look first for damaged pictures, which are left out, and for copies that judge",
        "test_judges": "let ImageNet's val/ judge as --val, which is its test set: its figures then choose the weights",
        "compile": "compile the network first: minutes once, then faster steps",
        "tensorboard": "write events for TensorBoard too",
        "again": "look at a run's test pictures though they were looked at before; its events say so",
        "force": "write over a file that is there",
        "verbose": "list every name in the original and in the new file",
        "stored": "list: what is in the store, with sizes and paths, instead of what is published",
        "exact": "decode every pixel of large JPEGs, more slowly",
    }
)
_WORDS = {"<class 'float'>": "a number", "<class 'int'>": "a whole number"}


def parse(argv: Sequence[str]) -> tuple[Command, dict[str, Any]]:
    """The command that was asked for and its arguments. Raises ValueError, one line, for wrong usage."""
    parser, commands = build()
    try:
        namespace = parser.parse_args(list(_joined(argv)))
    except ArgumentError as error:
        raise ValueError(_translated(str(error), argv, commands)) from None
    name, found = namespace.command, namespace[namespace.command]
    if name in _GROUPS:
        name, found = f"{name} {found.action}", found[found.action]
    return COMMANDS[name], found.as_dict()


def _joined(argv: Sequence[str]) -> Iterator[str]:
    """The arguments, with what looks like a negative number as the value of the option before it.

    argparse takes -5M for an option; the command itself can say what is wrong with it. After -- all is as it is.
    """
    waiting = ""
    for place, word in enumerate(argv):
        if word == "--":
            yield from ([waiting] if waiting else [])
            yield from argv[place:]
            return
        if waiting and re.match(r"-[0-9.]", word):
            yield f"{waiting}={word}"
            waiting = ""
            continue
        if waiting:
            yield waiting
        name = word.removeprefix("--").replace("-", "_")
        waiting = word if word.startswith("--") and "=" not in word and name not in _FLAGS else ""
        if not waiting:
            yield word
    if waiting:
        yield waiting


def build() -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """The whole parser, and the parser of each command; a group's actions are called by both words."""
    parser = ArgumentParser(
        prog="compoundnet",
        description="Which ConvNet fits my budget? Scaling, exact costs and predictions.",
        version=__version__,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    subcommands = parser.add_subcommands(required=True, dest="command")
    commands = {name: _command(command) for name, command in COMMANDS.items()}
    groups = {"": subcommands}
    for name, sub in commands.items():
        group, _, action = name.rpartition(" ")
        if group not in groups:
            inner = ArgumentParser(
                description=_GROUPS[group], formatter_class=HelpFormatter, exit_on_error=False, allow_abbrev=False
            )
            subcommands.add_subcommand(group, inner, help=_GROUPS[group])
            groups[group] = inner.add_subcommands(required=True, dest="action")
        groups[group].add_subcommand(action, sub, help=sub.description)
    return parser, commands


class _Dashed(ArgumentParser):
    """A parser whose options are written with dashes, whatever the parameters are called."""

    def add_argument(self, *names: Any, **options: Any) -> Any:  # jsonargparse's own has more parameters
        return super().add_argument(*(_dashed(name) for name in names), **options)


def _dashed(name: str) -> str:
    return name.replace("_", "-") if name.startswith("--") else name


def _command(command: Command) -> ArgumentParser:
    description = (inspect.getdoc(command) or "").splitlines()[0]
    parser = _Dashed(description=description, formatter_class=HelpFormatter, exit_on_error=False, allow_abbrev=False)
    parameters = inspect.signature(command).parameters
    for name in parameters:
        if name in _POSITIONAL:
            text, count = _POSITIONAL[name]
            if count == "?":
                parser.add_argument(name, type=str, nargs=count, default=parameters[name].default, help=text)
            else:
                parser.add_argument(name, type=str, nargs=count, help=text)
        elif name in _FLAGS:
            parser.add_argument(_option(name), action="store_true", help=_FLAGS[name])
    by_hand: set[int | str] = {name for name in parameters if name in _POSITIONAL or name in _FLAGS}
    parser.add_function_arguments(command, skip=by_hand, as_group=False)
    return parser


def _translated(message: str, argv: Sequence[str], commands: Mapping[str, ArgumentParser]) -> str:
    """jsonargparse's message as one line in words."""
    text = " ".join(message.split())
    if unknown := re.match(r"unrecognized arguments: (\S+)", text):
        command = _command_in(argv, commands)
        known = _options(commands, command)
        if command is not None and not unknown[1].startswith("-"):
            return _one_too_many(command, unknown[1])
        hint = "give it after the command" if unknown[1] in known else near(unknown[1], known)
        hint = _as_setting(command, unknown[1]) or hint
        return f"unknown argument {unknown[1]}; {hint}"
    if (group := next(iter(argv), "")) in _GROUPS and _command_in(argv, commands) is None:
        return _no_action(group, argv[1:], commands)
    if (choice := re.search(r"invalid choice: '(.*?)'", text)) or 'expected "command"' in text:
        known = [name for name in commands if " " not in name] + list(_GROUPS)
        return f"unknown command {choice[1]!r}; {near(choice[1], known)}" if choice else "no command; try --help"
    if missing := re.match(r"the following arguments are required: (.+)", text):
        return _missing([key.rpartition(".")[2] for key in missing[1].split(", ")])
    if empty := re.match(r"argument (\S+): expected one argument", text):
        return f"{empty[1]}: the value is missing; give it after the option, or see --help"
    key, given = re.search(r'Parser key "([\w.]+)"', text), re.search(r"(?:Given|Got) value: (.*)$", message, re.M)
    expected = [
        kind for kind in re.findall(r"Expected an? (.+?)(?:\. Got value.*)?$", message, re.M) if "NoneType" not in kind
    ]
    if key and given and expected:
        kind = re.sub(r"typing\.Literal\[(.*)\]", r"one of \1", expected[0].rstrip("."))
        option = f"--{key[1].rpartition('.')[2]}"
        setting = _as_setting(_command_in(argv, commands), f"{option}={given[1]}")
        wanted = f"expected {_WORDS.get(kind, kind)}, got {given[1]!r}"
        return f"{option}: {wanted}{f'; {setting}' if setting else ''}"
    return text


def _as_setting(command: str | None, option: str) -> str:
    """What to say of an option that is a setting of the recipe, in a command that takes these; "" for another."""
    from .settings import as_setting

    return as_setting(option) if command and "set" in inspect.signature(COMMANDS[command]).parameters else ""


def _command_in(argv: Sequence[str], commands: Mapping[str, ArgumentParser]) -> str | None:
    """The command that was asked for, if any."""
    pairs = (" ".join(pair) for pair in pairwise(argv))
    return next((words for words in (*pairs, *argv) if words in commands), None)


def _no_action(group: str, words: Sequence[str], commands: Mapping[str, ArgumentParser]) -> str:
    """What to say of a group without an action of it."""
    actions = [name.removeprefix(f"{group} ") for name in commands if name.startswith(f"{group} ")]
    if words and not words[0].startswith("-"):
        return f"unknown action {words[0]!r} of {group}; {near(words[0], actions)}"
    return f"no action of {group}; {near('', actions)}"


def _missing(names: Sequence[str]) -> str:
    """What to say of arguments that were not given: options as they are written."""
    *rest, last = [name.upper() if name in _POSITIONAL else _option(name) for name in names]
    return f"{', '.join(rest)}{' and ' if rest else ''}{last} {'are' if rest else 'is'} missing; try --help"


def _one_too_many(command: str, word: str) -> str:
    """What to say of a word that no option belongs to, after as many as the command takes."""
    taken = [name.upper() for name in inspect.signature(COMMANDS[command]).parameters if name in _POSITIONAL]
    remedy = "leave it out, or give the option that it belongs to"
    return f"{word!r} is one too many: {command} takes {f'one {taken[0]}' if taken else 'options only'}; {remedy}"


def _options(commands: Mapping[str, ArgumentParser], command: str | None) -> list[str]:
    """The options of a command, or those of all when none was named."""
    chosen = [COMMANDS[command]] if command else list(COMMANDS.values())
    names = {name for function in chosen for name in inspect.signature(function).parameters}
    return ["--help", *map(_option, sorted(names - _POSITIONAL.keys()))]


def _option(parameter: str) -> str:
    return f"--{parameter.replace('_', '-')}"
