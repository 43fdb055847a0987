"""The parser: one sub-command per function, its options the function's parameters."""

import inspect
import re
from argparse import HelpFormatter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise, takewhile
from types import MappingProxyType
from typing import Any, TypeAlias

from jsonargparse import ArgumentError, ArgumentParser

from compoundnet import __version__
from compoundnet.schema import near

from .activating import cam
from .architecture import search_architecture
from .arguments import FLAGS, POSITIONAL
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
_WORDS = {"<class 'float'>": "a number", "<class 'int'>": "a whole number"}


def parse(argv: Sequence[str]) -> tuple[Command, dict[str, Any]]:
    """The command that was asked for and its arguments. Raises ValueError, one line, for wrong usage."""
    parser, _ = build(argv)
    try:
        namespace = parser.parse_args(list(_joined(argv)))
    except ArgumentError as error:
        raise ValueError(_translated(str(error), argv)) from None
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
        waiting = word if word.startswith("--") and "=" not in word and name not in FLAGS else ""
        if not waiting:
            yield word
    if waiting:
        yield waiting


def build(argv: Sequence[str] | None = None) -> tuple[ArgumentParser, dict[str, ArgumentParser]]:
    """The whole parser, and the parser of each command; a group's actions are called by both words.

    Given a command line, only the command that it begins with is in it: all of them take longer to make than most
    commands take to run. Where it begins with none, all are in it by their names and descriptions.
    """
    parser = ArgumentParser(
        prog="compoundnet",
        description="Which ConvNet fits my budget? Scaling, exact costs and predictions.",
        version=__version__,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    subcommands = parser.add_subcommands(required=True, dest="command")
    asked = None if argv is None else _begun(argv)
    commands = {
        name: _command(command, argv is None or name == asked)
        for name, command in COMMANDS.items()
        if asked in (None, name)
    }
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


def _begun(argv: Sequence[str]) -> str | None:
    """The command that a command line begins with, options that do not belong there aside; None where help is asked."""
    before = [*takewhile(lambda word: word.startswith("-"), argv)]
    words = argv[len(before) :]
    names = (" ".join(words[:count]) for count in (1, 2))
    return None if {"-h", "--help"} & {*before} else next((name for name in names if name in COMMANDS), None)


class _Dashed(ArgumentParser):
    """A parser whose options are written with dashes, whatever the parameters are called."""

    def add_argument(self, *names: Any, **options: Any) -> Any:  # jsonargparse's own has more parameters
        return super().add_argument(*(_dashed(name) for name in names), **options)


def _dashed(name: str) -> str:
    return name.replace("_", "-") if name.startswith("--") else name


def _command(command: Command, options: bool) -> ArgumentParser:
    description = (inspect.getdoc(command) or "").splitlines()[0]
    kind = _Dashed if options else ArgumentParser
    parser = kind(description=description, formatter_class=HelpFormatter, exit_on_error=False, allow_abbrev=False)
    if not options:
        return parser
    parameters = inspect.signature(command).parameters
    positional = _positional(command)
    for name in parameters:
        if name in positional:
            text, count = POSITIONAL[name]
            if count == "?":
                parser.add_argument(name, type=str, nargs=count, default=parameters[name].default, help=text)
            else:
                parser.add_argument(name, type=str, nargs=count, help=text)
        elif name in FLAGS:
            parser.add_argument(_option(name), action="store_true", help=FLAGS[name])
    by_hand: set[int | str] = {name for name in parameters if name in positional or name in FLAGS}
    parser.add_function_arguments(command, skip=by_hand, as_group=False)
    return parser


def _translated(message: str, argv: Sequence[str]) -> str:
    """jsonargparse's message as one line in words."""
    text = " ".join(message.split())
    if unknown := re.match(r"unrecognized arguments: (\S+)", text):
        command = _command_in(argv)
        known = _options(command)
        if command is not None and not unknown[1].startswith("-"):
            return _one_too_many(command, unknown[1])
        hint = "give it after the command" if unknown[1] in known else near(unknown[1], known)
        hint = _as_setting(command, unknown[1]) or hint
        return f"unknown argument {unknown[1]}; {hint}"
    if (group := next(iter(argv), "")) in _GROUPS and _command_in(argv) is None:
        return _no_action(group, argv[1:])
    if (choice := re.search(r"invalid choice: '(.*?)'", text)) or 'expected "command"' in text:
        known = [name for name in COMMANDS if " " not in name] + list(_GROUPS)
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
        setting = _as_setting(_command_in(argv), f"{option}={given[1]}")
        wanted = f"expected {_WORDS.get(kind, kind)}, got {given[1]!r}"
        return f"{option}: {wanted}{f'; {setting}' if setting else ''}"
    return text


def _as_setting(command: str | None, option: str) -> str:
    """What to say of an option that is a setting of the recipe, in a command that takes these; "" for another."""
    from .settings import as_setting

    return as_setting(option) if command and "set" in inspect.signature(COMMANDS[command]).parameters else ""


def _command_in(argv: Sequence[str]) -> str | None:
    """The command that was asked for, if any."""
    pairs = (" ".join(pair) for pair in pairwise(argv))
    return next((words for words in (*pairs, *argv) if words in COMMANDS), None)


def _no_action(group: str, words: Sequence[str]) -> str:
    """What to say of a group without an action of it."""
    actions = [name.removeprefix(f"{group} ") for name in COMMANDS if name.startswith(f"{group} ")]
    if words and not words[0].startswith("-"):
        return f"unknown action {words[0]!r} of {group}; {near(words[0], actions)}"
    return f"no action of {group}; {near('', actions)}"


def _missing(names: Sequence[str]) -> str:
    """What to say of arguments that were not given: options as they are written."""
    *rest, last = [name.upper() if name in POSITIONAL else _option(name) for name in names]
    return f"{', '.join(rest)}{' and ' if rest else ''}{last} {'are' if rest else 'is'} missing; try --help"


def _one_too_many(command: str, word: str) -> str:
    """What to say of a word that no option belongs to, after as many as the command takes."""
    taken = [name.upper() for name in _positional(COMMANDS[command])]
    remedy = "leave it out, or give the option that it belongs to"
    return f"{word!r} is one too many: {command} takes {f'one {taken[0]}' if taken else 'options only'}; {remedy}"


def _options(command: str | None) -> list[str]:
    """The options of a command, or those of all when none was named."""
    chosen = [COMMANDS[command]] if command else list(COMMANDS.values())
    names = {name for each in chosen for name in {*inspect.signature(each).parameters} - {*_positional(each)}}
    return ["--help", *map(_option, sorted(names))]


def _positional(command: Command) -> list[str]:
    """The arguments without a name: what one command takes so, such as STORE, may be an option of another."""
    found = inspect.signature(command).parameters.items()
    return [n for n, each in found if n in POSITIONAL and (each.default is each.empty or POSITIONAL[n][1] is not None)]


def _option(parameter: str) -> str:
    return f"--{parameter.replace('_', '-')}"
