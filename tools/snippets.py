"""The code in README.md and docs/, run: every ```text block after Python, every output of a command.

The ```python blocks of a page run in order in one namespace; a ```text block right after one is what
it prints. In a ```console block the output of each ``$ compoundnet ...`` is what a shell prints for it.
All of it happens in a temporary folder that holds one photograph, cat.png.
"""

import contextlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

_FENCE = re.compile(r"```(python|console)\n(.*?)```(\n\n```text\n(.*?)```)?", re.DOTALL)
_COMMAND = "$ compoundnet "
# A long command says how far it is, as often as the machine is slow: no part of what it answers.
_PROGRESS = re.compile(r"compoundnet: [\d,]+ of [\d,]+ .*, about [\d,]+ s left")


def refreshed(page: str) -> str:
    """The page with every output as it really is."""
    namespace: dict[str, Any] = {"__name__": "page"}

    def replace(match: re.Match[str]) -> str:
        language, code, follows = match[1], match[2], match[3]
        if language == "console":
            return f"```console\n{console(code)}```{follows or ''}"
        printed = run(code, namespace)
        return match[0] if follows is None else f"```python\n{code}```\n\n```text\n{printed}```"

    with folder_with_a_cat():
        return _FENCE.sub(replace, page)


@contextlib.contextmanager
def folder_with_a_cat() -> Generator[None]:
    """Work in a temporary folder with scikit-image's photograph chelsea as cat.png."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None:
        raise RuntimeError("scikit-image is not installed; it has the photograph: pip install 'compoundnet[demo]'")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        shutil.copy(Path(spec.origin).parent / "data/chelsea.png", "cat.png")
        yield


def run(code: str, namespace: dict[str, Any]) -> str:
    """What the code prints."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(code, "<page>", "exec"), namespace)
    return printed.getvalue()


def console(session: str) -> str:
    """The session with the real output of each of our commands; other commands stay as they are."""
    lines: list[str] = []
    ours = False
    for line in session.splitlines():
        if line.startswith("$ "):
            lines.append(line)
            ours = line.startswith(_COMMAND)
            lines += output(line.removeprefix("$ ")) if ours else []
        elif not ours:
            lines.append(line)
    return "".join(f"{line}\n" for line in lines)


def output(command: str) -> list[str]:
    """The lines that a terminal shows for a shell command, with our script in front of the path."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, "COLUMNS": "80", "NO_COLOR": "1"}
    done = subprocess.run(
        command, shell=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return [line.rstrip() for line in done.stdout.splitlines() if not _PROGRESS.fullmatch(line)]
