"""Event ids that a conversation remembers."""

from __future__ import annotations

from flow_engine.state.seen import DAY_MS, KEEP_DAYS, LIMIT, contains, fingerprint, remember

NOW = 20_000 * DAY_MS


def test_a_remembered_id_is_found_and_no_other() -> None:
    seen = remember(remember(b"", fingerprint("a"), NOW), fingerprint("b"), NOW)
    assert contains(seen, fingerprint("a"))
    assert contains(seen, fingerprint("b"))
    assert not contains(seen, fingerprint("c"))


def test_bytes_that_lie_across_two_entries_are_no_entry() -> None:
    seen = remember(remember(b"", fingerprint("a"), NOW), fingerprint("b"), NOW)
    assert not contains(seen, seen[3:11])


def test_an_id_is_forgotten_after_eight_days() -> None:
    seen = remember(b"", fingerprint("old"), NOW)
    kept = remember(seen, fingerprint("new"), NOW + KEEP_DAYS * DAY_MS)
    assert contains(kept, fingerprint("old"))
    gone = remember(seen, fingerprint("new"), NOW + (KEEP_DAYS + 1) * DAY_MS)
    assert not contains(gone, fingerprint("old"))


def test_no_more_than_the_limit_are_kept_the_youngest() -> None:
    seen = b""
    for number in range(LIMIT + 10):
        seen = remember(seen, fingerprint(str(number)), NOW)
    assert len(seen) == LIMIT * 10
    assert not contains(seen, fingerprint("9"))
    assert contains(seen, fingerprint("10"))
    assert contains(seen, fingerprint(str(LIMIT + 9)))
