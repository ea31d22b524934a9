import random

import pytest

from contracts.actions import MessageContent
from contracts.replies import ChatMessage
from ingress.chat.feeds import KEPT, KEPT_BYTES, Feed


def said(*seqs):
    return [ChatMessage(seq=seq, id=str(seq), at="", content=MessageContent(text=str(seq))) for seq in seqs]


def seqs(messages):
    return [message.seq for message in messages]


def test_copies_in_order_are_known_at_once_and_a_repeat_changes_nothing():
    feed = Feed(0)
    feed.add_copies(said(1, 2))
    feed.add_copies(said(2, 3))
    assert seqs(feed.after(1)) == [2, 3]
    assert feed.whole


def test_a_feed_keeps_so_many_bytes_and_the_last_message():
    def long(seq, size):
        return ChatMessage(seq=seq, id="i", at="", content=MessageContent(text="x" * size))

    feed = Feed(0)
    for seq in range(1, 100):
        feed.add_copies([long(seq, KEPT_BYTES // 10)])
    assert seqs(feed.after(90)) == list(range(91, 100))
    assert len(feed.messages) == 9
    feed.add_copies([long(100, 2 * KEPT_BYTES)])
    assert (seqs(feed.messages), feed.floor) == ([100], 99)
    feed.add_copies(said(101))
    assert seqs(feed.messages) == [101]
    assert seqs(feed.add_backlog(101, [long(seq, KEPT_BYTES // 2) for seq in range(102, 107)])) == list(range(102, 107))
    assert (seqs(feed.messages), feed.whole) == ([106], True)


def test_a_copy_beyond_a_gap_waits_for_the_backlog():
    feed = Feed(0)
    feed.add_copies(said(1, 4))
    assert seqs(feed.after(0)) == [1]
    assert not feed.whole
    assert seqs(feed.add_backlog(1, said(2, 3))) == [2, 3, 4]
    assert feed.whole


def test_what_waits_beyond_a_gap_takes_so_many_bytes_and_the_gap_stays_known():
    feed = Feed(0)
    for seq in range(2, 3 * KEPT):
        feed.add_copies(said(seq))
        assert len(feed._ahead) <= KEPT
    assert not feed.whole
    assert seqs(feed.add_backlog(0, said(*range(1, 400)))) == list(range(1, 400))
    assert not feed.whole
    assert seqs(feed.add_backlog(399, said(*range(400, 3 * KEPT)))) == list(range(400, 3 * KEPT))
    assert feed.whole


def test_a_seq_missing_in_a_backlog_is_missing_in_the_log():
    feed = Feed(0)
    feed.add_backlog(0, said(3, 5))
    assert feed.whole
    feed.add_copies(said(6))
    assert seqs(feed.after(0)) == [3, 5, 6]


def test_an_older_backlog_lowers_the_floor():
    feed = Feed(10)
    feed.add_copies(said(11))
    assert seqs(feed.add_backlog(8, said(9, 10, 11))) == [9, 10, 11]
    assert feed.floor == 8


def test_a_backlog_far_above_starts_anew():
    feed = Feed(0)
    feed.add_copies(said(1))
    assert seqs(feed.add_backlog(5, said(6))) == [6]
    assert (feed.floor, seqs(feed.messages)) == (5, [6])


def test_only_the_last_are_kept_and_the_backlog_is_still_given_whole():
    feed = Feed(0)
    found = feed.add_backlog(0, said(*range(1, KEPT + 51)))
    assert len(found) == KEPT + 50
    assert (feed.floor, len(feed.messages)) == (50, KEPT)


def test_who_is_far_behind_is_given_one_part_and_nothing_beyond_it():
    feed = Feed(2700)
    feed.add_copies(said(*range(2701, 3001)))
    assert seqs(feed.add_backlog(2, said(*range(3, 203)))) == list(range(3, 203))
    assert (feed.floor, feed.last) == (2800, 3000)
    assert seqs(feed.add_backlog(2601, said(*range(2602, 2802)))) == list(range(2602, 3001))


@pytest.mark.parametrize("seed", range(20))
def test_a_reader_from_the_start_is_told_everything_in_parts(seed):
    randomly, feed, known, read = random.Random(seed), Feed(0), 0, 0
    while read < 500:
        fresh = min(500 - known, randomly.randrange(20))
        feed.add_copies(said(*range(known + 1, known + fresh + 1)))
        known += fresh
        if randomly.random() < 0.1:
            feed.let_go()
        if randomly.random() < 0.2:
            found = seqs(feed.add_backlog(read, said(*range(read + 1, min(known, read + 10) + 1))))
            assert found == list(range(read + 1, read + len(found) + 1))
            read += len(found)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_comes_in_whatever_order_nothing_is_skipped(seed):
    randomly, feed, known = random.Random(seed), Feed(0), 0
    for _ in range(60):
        known += randomly.randrange(3)
        if randomly.random() < 0.3:
            after = randomly.randrange(feed.floor, feed.last + 1)
            feed.add_backlog(after, said(*range(after + 1, known + 1)))
        else:
            copies = randomly.sample(range(1, known + 1), min(known, 3))
            feed.add_copies(said(*sorted(copies)))
        assert seqs(feed.after(feed.floor)) == list(range(feed.floor + 1, feed.last + 1))


def test_what_lies_beyond_a_gap_is_bounded_and_the_gap_is_known():
    """Copies come for as long as the lease holds; nobody need listen, and so nobody asks for what is missing."""

    def long(seq):
        return ChatMessage(seq=seq, id="i", at="", content=MessageContent(text="x" * (KEPT_BYTES // 10)))

    feed = Feed(0)
    for seq in range(5, 100):
        feed.add_copies([long(seq)])
        assert feed.size <= KEPT_BYTES
    assert not feed.whole
    feed.add_backlog(0, [long(seq) for seq in range(1, 100)])
    assert (feed.whole, feed.last) == (True, 99)


def test_a_feed_that_lets_go_keeps_nothing_and_goes_on_behind_it():
    feed = Feed(0)
    feed.add_copies(said(1, 2, 4))
    feed.let_go()
    assert (feed.size, feed.floor, feed.whole, feed.messages) == (0, 4, True, [])
    feed.add_copies(said(5))
    assert seqs(feed.after(4)) == [5]
