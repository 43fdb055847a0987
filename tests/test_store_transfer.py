"""Downloads from a server that misbehaves: the file is byte-equal or an error, and nothing else enters the store."""

import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compoundnet.weights import CheckpointError
from compoundnet.weights.store import Store, check, fetch

from .downloads import CUT, DATA, HOW, OTHER, b0, is_whole, refused, served, sha, store
from .loopback import Served, size

__all__ = ["served", "store"]  # the fixtures


def test_a_fetched_file_is_there_the_next_time_without_a_request(served: Served, store: Store) -> None:
    heard: list[tuple[int, int | None]] = []
    first = fetch(b0(served), store=store, how=HOW, on_bytes=lambda done, total: heard.append((done, total)))
    assert is_whole(first, store)
    assert first.new
    assert heard[-1] == (len(DATA), len(DATA))
    assert heard == sorted(heard)
    asked = len(served.asked)
    second = fetch(b0(served), store=store, how=replace(HOW, offline=True))
    assert (second.new, second.path) == (False, first.path)
    assert len(served.asked) == asked
    assert store.find("b0") == first.stored


def test_an_answer_that_is_cut_is_gone_on_with_and_no_byte_comes_twice(served: Served, store: Store) -> None:
    served.cut = [CUT]
    said: list[str] = []
    found = fetch(b0(served), store=store, how=HOW, say=said.append)
    assert is_whole(found, store)
    assert served.ranges_asked() == ["", f"bytes={CUT}-"]
    assert served.sent == len(DATA)
    assert "the connection closed after 300,000 of 786,432 bytes; trying again" in said[0]


def test_what_came_before_the_last_failure_is_kept_for_the_next_call(served: Served, store: Store) -> None:
    served.cut = [CUT, 0, 0]
    assert "300,000 bytes are kept" in refused(b0(served), store)
    assert size(store.root / "parts") >= CUT
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)
    assert served.sent == len(DATA)


def test_a_server_that_falls_silent_is_left_after_the_timeout(served: Served, store: Store) -> None:
    served.stall = [CUT]
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)
    assert served.ranges_asked() == ["", f"bytes={CUT}-"]
    served.stall = [0, 0, 0]
    served.files["/w/b1.pth"] = OTHER
    wanted = replace(b0(served), name="b1", sha256=sha(OTHER), url=f"{served.url}/w/b1.pth")
    with pytest.raises(CheckpointError, match="does not answer"):
        fetch(wanted, store=store, how=HOW)


def test_a_server_that_ignores_ranges_sends_all_of_it_again(served: Served, store: Store) -> None:
    served.cut, served.ranges = [CUT], False
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)
    assert served.sent == len(DATA) + CUT


def test_errors_of_the_moment_are_tried_again_and_others_are_not(served: Served, store: Store) -> None:
    served.statuses = [500, 503]
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)
    served.statuses = [404]
    served.asked.clear()
    wanted = replace(b0(served), name="b1", sha256=sha(OTHER))
    with pytest.raises(CheckpointError, match=r"b1: 127.0.0.1 answers 404 \(Not Found\).* name a mirror"):
        fetch(wanted, store=store, how=HOW)
    assert len(served.asked) == 1


def test_what_a_server_says_does_not_steer_the_terminal(served: Served, store: Store) -> None:
    served.statuses, served.reason = [403], "no \x1b[31mentry"
    text = refused(b0(served), store)
    assert text.isprintable()
    assert "answers 403 ('no \\x1b[31mentry')" in text


def test_a_server_may_say_how_long_to_wait(served: Served, store: Store) -> None:
    served.statuses, served.headers = [429], {"Retry-After": "0"}
    said: list[str] = []
    assert is_whole(fetch(b0(served), store=store, how=replace(HOW, pause=60), say=said.append), store)
    assert said == ["b0.pth: 127.0.0.1 answers 429 (Too Many Requests); trying again in 0 s"]


def test_attempts_that_bring_nothing_end(served: Served, store: Store) -> None:
    served.statuses = [500] * 50
    text = refused(b0(served), store)
    assert len(served.asked) == HOW.attempts
    assert re.search(r"could not be fetched: .* 500 .*; check the network, name a mirror .*weights import FILE", text)


@pytest.mark.parametrize(("sha256", "md5"), [(sha(OTHER), ""), ("", "0" * 32)])
def test_other_bytes_are_deleted_and_both_hashes_named(served: Served, store: Store, sha256: str, md5: str) -> None:
    text = refused(b0(served, sha256=sha256, md5=md5), store)
    expected = sha256 or md5
    found = sha(DATA) if sha256 else hashlib.md5(DATA, usedforsecurity=False).hexdigest()
    assert expected in text
    assert found in text
    assert size(store.root / "parts") == 0


def test_the_first_digits_of_a_hash_are_enough_to_notice_other_bytes(served: Served, store: Store) -> None:
    digits = sha(DATA)[:8]
    assert is_whole(fetch(b0(served, sha256="", digits=digits), store=store, how=HOW), store)
    wrong = replace(b0(served, sha256="", digits=sha(OTHER)[:8]), name="b1", file="b1.pth")
    with pytest.raises(CheckpointError, match=f"SHA-256 is {sha(DATA)}, expected one that begins with"):
        fetch(wrong, store=store, how=HOW)


def test_a_file_that_changes_between_two_halves_comes_whole_from_the_new_one(served: Served, store: Store) -> None:
    served.files["/w/b0.pth"], served.cut = OTHER, [CUT, 0, 0]
    refused(b0(served), store)
    served.files["/w/b0.pth"], served.etag = DATA, '"two"'
    said: list[str] = []
    assert is_whole(fetch(b0(served), store=store, how=HOW, say=said.append), store)
    assert served.ranges_asked()[-1] == f"bytes={CUT}-"
    assert said == []


@pytest.mark.parametrize("heeds", [True, False])
def test_halves_of_two_versions_never_enter_though_no_hash_is_known(served: Served, store: Store, heeds: bool) -> None:
    served.cut = [CUT, 0, 0]
    unhashed = b0(served, sha256="")
    refused(unhashed, store)
    served.files["/w/b0.pth"], served.etag, served.heed_if_range = OTHER, '"two"', heeds
    assert fetch(unhashed, store=store, how=HOW).path.read_bytes() == OTHER


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_without_a_strong_mark_only_a_hash_lets_a_download_go_on(served: Served, store: Store, etag: str) -> None:
    served.cut, served.etag = [CUT], etag
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)
    assert served.ranges_asked()[-1] == f"bytes={CUT}-"
    served.cut = [CUT]
    served.asked.clear()
    again = replace(b0(served, sha256=""), name="again")
    assert fetch(again, store=store, how=HOW).path.read_bytes() == DATA
    assert served.ranges_asked() == ["", ""]


def test_a_wrong_half_is_fetched_again_whole(served: Served, store: Store) -> None:
    """As after a crash that left the end of a part unwritten: the hash shows it, and one more download mends it."""
    served.cut = [CUT, 0, 0]
    refused(b0(served), store)
    part = store.part(b0(served))
    part.write_bytes(bytes(CUT))
    said: list[str] = []
    assert is_whole(fetch(b0(served), store=store, how=HOW, say=said.append), store)
    assert "does not go with the rest" in said[0]


def test_a_part_that_is_all_there_needs_no_more_bytes(served: Served, store: Store) -> None:
    part = store.part(b0(served))
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA)
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)
    assert served.sent == 0


def test_a_part_that_is_too_long_is_thrown_away(served: Served, store: Store) -> None:
    part = store.part(b0(served))
    part.parent.mkdir(parents=True)
    part.write_bytes(DATA + b"more")
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)


@pytest.mark.parametrize("sized", [True, False])
@pytest.mark.parametrize("chunked", [True, False])
def test_answers_without_a_size_are_whole_or_refused(served: Served, store: Store, sized: bool, chunked: bool) -> None:
    served.sized, served.chunked = sized, chunked
    assert is_whole(fetch(b0(served), store=store, how=HOW), store)
    other = replace(b0(served, sha256=""), name="unhashed")
    if sized or chunked:
        assert fetch(other, store=store, how=HOW).path.read_bytes() == DATA
    else:
        with pytest.raises(CheckpointError, match="nobody could say whether it is whole"):
            fetch(other, store=store, how=HOW)


def test_chunks_that_are_cut_are_gone_on_with(served: Served, store: Store) -> None:
    served.chunked, served.cut = True, [CUT]
    assert is_whole(fetch(b0(served, sha256=""), store=store, how=HOW), store)
    assert served.sent == len(DATA)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_file_of_another_size_is_refused_before_more_of_it_comes(served: Served, store: Store, chunked: bool) -> None:
    served.chunked = chunked
    text = refused(b0(served, size=len(DATA) // 4), store)
    assert "expected" in text
    served.sent, served.drip = 0, 0.01
    assert "the limit" in refused(b0(served), store, replace(HOW, most=1 << 17))
    assert served.sent < len(DATA)
    assert size(store.root / "parts") == 0


def test_an_empty_answer_and_a_login_page_are_no_weights(served: Served, store: Store) -> None:
    served.files["/w/b0.pth"] = b""
    assert "it is empty" in refused(b0(served, sha256=""), store)
    served.files["/w/b0.pth"], served.headers = b"<html>log in", {"Content-Type": "text/html"}
    assert "web page" in refused(b0(served, sha256=""), store)
    assert sha(b"<html>log in") in refused(b0(served), store)


def test_a_damaged_file_of_the_store_is_replaced(served: Served, store: Store) -> None:
    path = fetch(b0(served), store=store, how=HOW).path
    path.write_bytes(OTHER)
    assert [each.state for each in check(store)] == ["damaged"]
    said: list[str] = []
    again = fetch(b0(served), store=store, how=HOW, say=said.append)
    assert is_whole(again, store)
    assert "is damaged" in said[0]
    assert [each.state for each in check(store)] == ["fine"]


def test_the_same_bytes_under_two_names_are_fetched_once(served: Served, store: Store) -> None:
    first = fetch(b0(served), store=store, how=HOW)
    asked = len(served.asked)
    second = fetch(replace(b0(served), name="twin", file="twin.pth"), store=store, how=HOW)
    assert len(served.asked) == asked
    assert second.path.name == "twin.pth"
    assert second.path.read_bytes() == first.path.read_bytes() == DATA
    assert [each.name for each in store.entries()] == ["b0", "twin"]


CUTS = st.lists(st.integers(0, len(DATA) + 9), max_size=4)
STATUSES = st.lists(st.sampled_from([200, 206, 304, 400, 404, 416, 429, 500, 503]), max_size=3)


@given(
    cut=CUTS,
    statuses=STATUSES,
    ranges=st.booleans(),
    heeds=st.booleans(),
    framing=st.sampled_from(["sized", "chunked", "bare"]),
    etag=st.sampled_from(["", '"one"', 'W/"one"']),
    hashed=st.booleans(),
    there=st.binary(max_size=40),
)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_server_does_only_the_right_bytes_enter(
    served: Served,
    tmp_path_factory: pytest.TempPathFactory,
    cut: list[int],
    statuses: list[int],
    ranges: bool,
    heeds: bool,
    framing: str,
    etag: str,
    hashed: bool,
    there: bytes,
) -> None:
    """Of a file whose hash is known, also when a part of something else lies there already."""
    store = Store(tmp_path_factory.mktemp("store"))
    served.cut, served.statuses, served.ranges, served.heed_if_range = [*cut], [*statuses], ranges, heeds
    served.sized, served.chunked, served.etag = framing == "sized", framing == "chunked", etag
    wanted = b0(served) if hashed else b0(served, sha256="")
    if there and hashed:
        part = store.part(wanted)
        part.parent.mkdir(parents=True)
        part.write_bytes(there)
    for _ in range(3):
        try:
            found = fetch(wanted, store=store, how=replace(HOW, pause=0))
        except CheckpointError:
            assert store.blobs() == []
        else:
            assert found.path.read_bytes() == DATA
            assert [each.state for each in check(store)] == ["fine"]
            break
