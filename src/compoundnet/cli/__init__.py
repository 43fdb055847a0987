"""The command line: ``compoundnet COMMAND``; ``cli/parser.py`` has the table of commands.

Exit codes: 0 fine; 1 some inputs failed and the rest is done; 2 wrong usage;
130 interrupted; 141 the reader of the output left. Errors are one line on stderr.
"""

import os
import sys
from collections.abc import Sequence

INTERRUPTED, READER_LEFT = 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command on ``argv`` (default: the process's arguments) and return the exit code.

    >>> main(["scale", "tiny", "--phi", "0", "--out", "/no/such/folder/net.json"])
    2
    """
    try:
        code = _run(argv)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except BrokenPipeError:
        # What Python still holds for the closed pipe would fail again when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    except Exception as error:  # a traceback helps no user of a command line
        return _failed(_one_line(error), 2)
    return code


def _run(argv: Sequence[str] | None) -> int:
    from .parser import parse

    try:
        command, arguments = parse(sys.argv[1:] if argv is None else argv)
    except SystemExit as stop:  # --help and --version
        return int(stop.code or 0)
    return command(**arguments)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, ValueError) and text:
        return text
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {text}"


def _failed(problem: str, code: int) -> int:
    from .output import one_line

    sys.stderr.write(f"compoundnet: error: {one_line(problem)}\n")
    return code
