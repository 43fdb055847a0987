"""Where a download may come from: redirections, mirrors and addresses that are less safe are refused."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from compoundnet.weights import CheckpointError
from compoundnet.weights.store import Store, Wanted, fetch
from compoundnet.weights.store.opening import require_no_less_safe

from .downloads import DATA, HOW, OTHER, b0, is_whole, refused, served, sha, store
from .loopback import Served, serving

__all__ = ["served", "store"]  # the fixtures


@pytest.mark.parametrize(
    "target", ["file:///etc/hostname", "ftp://127.0.0.1/b0.pth", "http://192.0.2.1/b0.pth", "data:,x", "hf://a/b/c"]
)
def test_a_server_sends_us_to_no_file_and_to_no_plain_http_elsewhere(served: Served, store: Store, target: str) -> None:
    served.redirects["/w/b0.pth"] = target
    assert f"127.0.0.1 sends us to '{target}', which is refused" in refused(b0(served), store)


def test_a_server_that_sends_us_to_what_is_no_address_is_one_line(served: Served, store: Store) -> None:
    served.redirects["/w/b0.pth"] = "https://[::1/b0.pth"
    assert "b0: 'https://[::1/b0.pth' is no address" in refused(b0(served), store)


@pytest.mark.parametrize(
    ("origin", "target", "allowed"),
    [
        ("https://a.example/x", "https://b.example/x", True),
        ("https://a.example/x", "http://a.example/x", False),
        ("https://a.example/x", "http://localhost/x", False),
        ("http://mirror.example/x", "http://mirror.example/y", True),
        ("http://mirror.example/x", "http://other.example/x", False),
        ("http://mirror.example/x", "http://127.0.0.1/x", False),
        ("http://mirror.example/x", "https://other.example/x", True),
        ("http://mirror.example/x", "file://mirror.example/x", False),
    ],
)
def test_a_redirection_is_never_to_what_is_less_safe(origin: str, target: str, allowed: bool) -> None:
    try:
        require_no_less_safe(origin, target, "b0")
    except CheckpointError:
        assert not allowed
    else:
        assert allowed


def test_a_redirection_within_this_machine_is_followed_and_a_circle_ends(served: Served, store: Store) -> None:
    served.redirects = {"/w/b0.pth": "/elsewhere", "/round": "/round"}
    served.files["/elsewhere"] = DATA
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)
    with pytest.raises(CheckpointError, match="302"):
        fetch(replace(b0(served), name="r", sha256=sha(OTHER), url=f"{served.url}/round"), store=store, how=HOW)


def test_nobody_answering_is_one_line_with_what_to_try(store: Store) -> None:
    with serving({}) as gone:
        url = gone.url
    text = refused(Wanted(name="b0", file="b0.pth", url=f"{url}/b0.pth", sha256=sha(DATA)), store)
    assert re.search(r"no connection to 127.0.0.1 \(.*refused.*--mirror.*weights import FILE", text)


def test_a_mirror_stands_in_place_of_the_host_and_the_hash_is_still_asked_for(served: Served, store: Store) -> None:
    published = Wanted(name="b0", file="b0.pth", url="https://weights.example/w/b0.pth", sha256=sha(DATA))
    found = fetch(published, store=store, how=replace(HOW, mirror=served.url))
    assert is_whole(found, store)
    assert found.stored.source == published.url
    served.files["/weights.example/w/b1.pth"] = OTHER
    forged = replace(published, name="b1", url="https://weights.example/w/b1.pth", sha256="0" * 64)
    with pytest.raises(CheckpointError, match=sha(OTHER)):
        fetch(forged, store=store, how=replace(HOW, mirror=f"{served.url}/{{host}}"))


def test_a_folder_may_be_the_mirror_also_offline(tmp_path: Path, store: Store) -> None:
    (tmp_path / "mirror/w").mkdir(parents=True)
    (tmp_path / "mirror/w/b0.pth").write_bytes(DATA)
    published = Wanted(name="b0", file="b0.pth", url="https://weights.example/w/b0.pth", sha256=sha(DATA))
    how = replace(HOW, mirror=(tmp_path / "mirror").as_uri(), offline=True)
    assert is_whole(fetch(published, store=store, how=how), store)
    with pytest.raises(CheckpointError, match=r"No such file.*check the mirror"):
        fetch(replace(published, sha256=sha(OTHER), url="https://weights.example/w/b9.pth"), store=store, how=how)


@pytest.mark.parametrize(
    "url",
    [
        *["http://192.0.2.1/b0.pth", "file:///etc/hostname", "ftp://h/b0.pth", "https://h/../b0.pth", "data:,x"],
        *[
            "https://user:secret@h/b0.pth",
            "https://h/a b",
            "https://h/a\nb",
            "hf://one/file",
            "https://h/%2e%2e/b0.pth",
            "https://[::1/b0.pth",
        ],
    ],
)
def test_addresses_that_are_not_safe_are_refused_before_anything_is_opened(store: Store, url: str) -> None:
    text = refused(Wanted(name="b0", file="b0.pth", url=url, sha256=sha(DATA)), store)
    assert "secret" not in text


def test_plain_http_from_a_mirror_needs_a_whole_hash(store: Store) -> None:
    wanted = Wanted(name="b0", file="b0.pth", url="https://h/b0.pth", sha256_prefix=sha(DATA)[:8])
    assert "forged" in refused(wanted, store, replace(HOW, mirror="http://192.0.2.1/"))


def test_a_mirror_on_this_machine_needs_no_hash_as_the_docs_say(served: Served, store: Store) -> None:
    unhashed = Wanted(name="team/m3", file="b0.pth", url="https://weights.example/w/b0.pth")
    assert is_whole(fetch(unhashed, store=store, how=replace(HOW, mirror=served.url)), store)
    docs = " ".join((Path(__file__).parents[1] / "docs/store.md").read_text(encoding="utf-8").split())
    assert "a mirror on this machine itself (`localhost` or 127.0.0.1) is exempt" in docs
