"""Imports point one way; values need no tensors; no engine knows a family's name."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import compoundnet

PACKAGE = Path(compoundnet.__file__).parent
ROOT = Path(__file__).parent.parent

# Each layer may import the ones before it; within a layer files may import each other.
LAYERS = [
    {"schema", "layers", "operators", "network", "scaling", "cost", "families", "preprocess", "budget", "rules"}
    | {"recipes", "memory", "caching", "signals", "whole"},
    {"accuracy", "devices"},
    {"solving"},
    {"modules", "building", "weights"},
    {"images", "augmentation", "training", "prediction", "cam", "engines", "export", "measuring", "quantizing"}
    | {"calibrating", "plots", "data", "evaluating", "transferring", "search"},
    {"serve", "cli", "__main__"},
]
VALUES_MAY_IMPORT = set(sys.stdlib_module_names)
MAY_IMPORT_FAMILIES = {"__init__", "weights", "cli", "recipes"}
# Accuracy was published of families: whose law speaks for a network is known in one place of the solver.
WHOSE_LAW = PACKAGE / "solving" / "whose_law.py"


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def topic(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def layer_of(name: str) -> int:
    found = [index for index, names in enumerate(LAYERS) if name in names]
    assert found, f"{name} stands in no layer; add it to LAYERS"
    return found[0]


def imports(path: Path) -> set[tuple[str, bool]]:
    """(topic or top-level package, is it ours) of every import in a file, also inside functions."""
    depth = len(path.relative_to(PACKAGE).parts) - 1
    found: set[tuple[str, bool]] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {_outer(alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(_outer(node.module or ""))
        elif isinstance(node, ast.ImportFrom) and node.level == depth + 1:
            names = [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
            found |= {(name, True) for name in names}
    return found


def _outer(module: str) -> tuple[str, bool]:
    parts = module.split(".")
    return (parts[1], True) if parts[0] == "compoundnet" and len(parts) > 1 else (parts[0], False)


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_its_own_layer_and_those_above(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        return
    mine = layer_of(topic(path))
    for name, ours in imports(path):
        if ours:
            assert layer_of(name) <= mine, f"{path.name} imports {name}"
        elif mine == 0:
            assert name in VALUES_MAY_IMPORT, f"{path.name} is a value file and imports {name}"


def test_only_edges_and_the_catalogue_know_the_families() -> None:
    users = {topic(path) for path in files() if ("families", True) in imports(path) and path != WHOSE_LAW}
    assert users <= MAY_IMPORT_FAMILIES


def test_the_command_line_is_imported_by_nobody() -> None:
    assert all(("cli", True) not in imports(path) or topic(path) in ("cli", "__main__") for path in files())


@pytest.mark.parametrize("folder", ["examples", "benchmarks", "tools"])
def test_what_lies_outside_the_package_uses_public_names_only(folder: str) -> None:
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("compoundnet"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                assert not any(name.startswith("_") for name in names), f"{path}: {ast.unparse(node)}"


def test_importing_compoundnet_loads_neither_torch_nor_numpy() -> None:
    code = (
        "import sys, compoundnet; sys.exit(bool({'torch', 'numpy', 'PIL', 'rich', 'jsonargparse'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_file_is_named_after_nothing() -> None:
    assert not {path.stem for path in files()} & {"utils", "helpers", "misc", "common", "manager"}


def test_files_stay_short() -> None:
    lines = sorted(len(path.read_text().splitlines()) for path in files())
    assert lines[-1] <= 300
    assert lines[len(lines) // 2] <= 150


def test_functions_can_be_seen_at_once() -> None:
    for path in files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 60, f"{path.name}: {node.name} has {length} lines"
