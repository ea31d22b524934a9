"""Judges a run from independent accounts: what was accepted, what arrived at the receiver, what state and log hold.

Every conversation says 1, 2, 3, … The flow counts them in the person's profile and answers `<number>:<count>`. So in a
sound run the receiver sees `1:1, 2:2, 3:3, …` in each chat, each at least once, a repeat only right behind its twin,
and each message is one delivery, however often it was attempted.

Where a topic was deleted, what was accepted before it was made again may be missing (`losable`), and is then missing in the
count of all that follows, too: nothing else may differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from itertools import pairwise

NOTHING: Mapping[str, Set[int]] = {}


@dataclass(slots=True)
class Verdict:
    """Counts over all conversations; `examples` names the first few findings."""

    events: int = 0
    lost: int = 0
    reordered: int = 0
    applied_twice: int = 0
    wire_duplicates: int = 0
    silent: int = 0
    """Something waited for an operator, or a server was away, and no service's readiness said so."""
    stuck: int = 0
    """Something did not work again after the documented repair."""
    repeated: int = 0
    """What was to be sent a second time after a restore, and was."""
    needless: int = 0
    """Sent more than once although everybody was stopped in good order."""
    longest: float = 0.0
    """Seconds from somebody's first try to say something to the answer, the longest there was."""
    gone: int = 0
    """What may be missing, and is."""
    people: int = 0
    """How many contacts were imported, told of something, taken over and erased meanwhile."""
    half: int = 0
    """Of these: done by half."""
    examples: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        wrong = (self.lost, self.reordered, self.applied_twice, self.silent, self.stuck, self.needless, self.half)
        return not any(wrong)

    def found(self, kind: str, count: int, example: str) -> None:
        if count:
            setattr(self, kind, getattr(self, kind) + count)
            if len(self.examples) < 10:
                self.examples.append(f"{kind}: {example}")

    def figures(self) -> dict[str, object]:
        return asdict(self)


@dataclass(slots=True)
class SentAgain:
    """What a dispatcher whose database was restored sends a second time, as the docs say it."""

    heard: int
    """How much had arrived before it was restored."""
    may: Set[tuple[str, str]]
    """(chat, text) of what may come again."""
    must: Set[tuple[str, str]]
    """Of these, what has to."""
    said: int = 0
    """How many messages the operator was told of."""


def judge(
    accepted: Mapping[str, int],
    arrivals: Sequence[tuple[str, str]],
    counted: Mapping[str, int],
    taken_twice: Mapping[str, int],
    losable: Mapping[str, Set[int]] = NOTHING,
    again: SentAgain | None = None,
) -> Verdict:
    """`accepted`: chat -> how many of 1, 2, 3, … were accepted. `arrivals`: (chat, text) in order of arrival.
    `counted`: chat -> the count that state holds at the end. `taken_twice`: chat -> messages with more deliveries than
    one. `losable`: chat -> which of its numbers may be missing."""
    verdict = Verdict(events=sum(accepted.values()))
    if again is not None:
        arrivals = _without_repeats(verdict, arrivals, again)
    by_chat = _by_chat(arrivals)
    for chat, sent in accepted.items():
        _judge_chat(verdict, chat, sent, by_chat.pop(chat, []), counted.get(chat, 0), losable.get(chat, frozenset()))
    _judge_deliveries(verdict, taken_twice)
    for chat, texts in by_chat.items():
        verdict.found("applied_twice", len(texts), f"chat {chat} was written to without having said anything")
    return verdict


def _without_repeats(verdict: Verdict, arrivals: Sequence[tuple[str, str]], again: SentAgain) -> list[tuple[str, str]]:
    """All that is no repeat after the restore. Those are judged here: they are what was said, and in order."""
    before, after = list(arrivals[: again.heard]), arrivals[again.heard :]
    known = set(before)
    repeats = [each for each in after if each in known]
    verdict.repeated = len(set(repeats))
    verdict.wire_duplicates += len(repeats) - len(set(repeats))
    verdict.found("applied_twice", len(set(repeats) - again.may), f"sent again: {sorted(set(repeats) - again.may)[:3]}")
    verdict.found("lost", len(again.must - set(repeats)), f"not sent again: {sorted(again.must - set(repeats))[:3]}")
    if verdict.repeated > again.said:
        verdict.found("silent", 1, f"{verdict.repeated} were sent again, and {again.said} were told of")
    for chat, texts in _by_chat(after).items():
        numbers = [number for number, _ in map(_parts, texts)]
        back = [pair for pair in pairwise(numbers) if pair[1] < pair[0]]
        verdict.found("reordered", len(back), f"chat {chat}, after the restore: {back[:3]}")
    return before + [each for each in after if each not in known]


def judge_so_far(arrivals: Sequence[tuple[str, str]], taken_twice: Mapping[str, int]) -> Verdict:
    """What is wrong already, whatever may still come: an answer that counts otherwise, one that comes out of turn or
    after a gap, a message that became several deliveries."""
    verdict = Verdict(events=len(set(arrivals)))
    for chat, texts in _by_chat(arrivals).items():
        numbers = _judge_heard(verdict, chat, texts)
        gaps = [(before, after) for before, after in pairwise([0, *numbers]) if after > before + 1]
        verdict.found("lost", len(gaps), f"chat {chat}: nothing between {gaps[:3]}")
    _judge_deliveries(verdict, taken_twice)
    return verdict


def _by_chat(arrivals: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    by_chat: dict[str, list[str]] = defaultdict(list)
    for chat, text in arrivals:
        by_chat[chat].append(text)
    return by_chat


def _judge_deliveries(verdict: Verdict, taken_twice: Mapping[str, int]) -> None:
    for chat, messages in taken_twice.items():
        verdict.found("applied_twice", messages, f"chat {chat}: {messages} messages became several deliveries")


def _judge_chat(verdict: Verdict, chat: str, sent: int, texts: list[str], count: int, losable: Set[int]) -> None:
    missing = set(range(1, sent + 1)) - {number for number, _ in map(_parts, texts)}
    gone = missing & losable
    verdict.gone += len(gone)
    verdict.found("lost", max(0, sent - len(gone) - count), f"chat {chat}: {sent} accepted, state counts {count}")
    verdict.found("applied_twice", max(0, count - sent), f"chat {chat}: {sent} accepted, state counts {count}")
    _judge_heard(verdict, chat, texts, gone)
    verdict.found("lost", len(missing - gone), f"chat {chat}: never answered {sorted(missing - gone)[:5]}")


def _judge_heard(verdict: Verdict, chat: str, texts: list[str], gone: Set[int] = frozenset()) -> list[int]:
    """The numbers that were answered, in order."""
    parts = [_parts(text) for text in texts]
    wrong = _wrong(parts, gone)
    verdict.found("applied_twice", len(wrong), f"chat {chat}: {sorted(wrong)[:3]}")
    numbers = [number for number, _ in parts]
    heard = [number for at, number in enumerate(numbers) if at == 0 or numbers[at - 1] != number]
    back = [(before, after) for before, after in pairwise(heard) if after <= before]
    verdict.found("reordered", len(back), f"chat {chat}: {back[:3]}")
    verdict.wire_duplicates += len(numbers) - len(set(numbers))
    return numbers


def _wrong(parts: Sequence[tuple[int, int]], gone: Set[int]) -> set[str]:
    """Answers that count otherwise: of what is gone as much may be missing in a count as was said before, and no less than
    was missing in the answer before."""
    wrong: set[str] = set()
    least = 0
    for number, count in sorted(set(parts)):
        short = number - count
        if not least <= short <= sum(each < number for each in gone):
            wrong.add(f"{number}:{count}")
        least = max(least, short)
    return wrong


def _parts(text: str) -> tuple[int, int]:
    """The number that was said, and the count."""
    number, _, count = text.partition(":")
    return int(number), int(count)
