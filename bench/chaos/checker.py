"""Judges a run from independent accounts: what was accepted, what arrived at the receiver, what state and log hold.

Every conversation says 1, 2, 3, … The flow counts them in the person's profile and answers `<number>:<count>`. So in a
sound run the receiver sees `1:1, 2:2, 3:3, …` in each chat, each at least once, a repeat only right behind its twin,
and each message is one delivery, however often it was attempted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise


@dataclass(slots=True)
class Verdict:
    """Counts over all conversations; `examples` names the first few findings."""

    events: int = 0
    lost: int = 0
    reordered: int = 0
    applied_twice: int = 0
    wire_duplicates: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return self.lost == self.reordered == self.applied_twice == 0

    def found(self, kind: str, count: int, example: str) -> None:
        if count:
            setattr(self, kind, getattr(self, kind) + count)
            if len(self.examples) < 10:
                self.examples.append(f"{kind}: {example}")

    def figures(self) -> dict[str, object]:
        return asdict(self)


def judge(
    accepted: Mapping[str, int],
    arrivals: Sequence[tuple[str, str]],
    counted: Mapping[str, int],
    taken_twice: Mapping[str, int],
) -> Verdict:
    """`accepted`: chat -> how many of 1, 2, 3, … were accepted. `arrivals`: (chat, text) in order of arrival.
    `counted`: chat -> the count that state holds at the end. `taken_twice`: chat -> messages with more deliveries than
    one."""
    verdict = Verdict(events=sum(accepted.values()))
    by_chat = _by_chat(arrivals)
    for chat, sent in accepted.items():
        _judge_chat(verdict, chat, sent, by_chat.pop(chat, []), counted.get(chat, 0))
    _judge_deliveries(verdict, taken_twice)
    for chat, texts in by_chat.items():
        verdict.found("applied_twice", len(texts), f"chat {chat} was written to without having said anything")
    return verdict


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


def _judge_chat(verdict: Verdict, chat: str, sent: int, texts: list[str], count: int) -> None:
    verdict.found("lost", max(0, sent - count), f"chat {chat}: {sent} accepted, state counts {count}")
    verdict.found("applied_twice", max(0, count - sent), f"chat {chat}: {sent} accepted, state counts {count}")
    missing = set(range(1, sent + 1)) - set(_judge_heard(verdict, chat, texts))
    verdict.found("lost", len(missing), f"chat {chat}: never answered {sorted(missing)[:5]}")


def _judge_heard(verdict: Verdict, chat: str, texts: list[str]) -> list[int]:
    """The numbers that were answered, in order."""
    numbers = [int(text.split(":")[0]) for text in texts]
    wrong = {text for text in texts if text.split(":")[0] != text.split(":")[1]}
    verdict.found("applied_twice", len(wrong), f"chat {chat}: {sorted(wrong)[:3]}")
    heard = [number for at, number in enumerate(numbers) if at == 0 or numbers[at - 1] != number]
    back = [(before, after) for before, after in pairwise(heard) if after <= before]
    verdict.found("reordered", len(back), f"chat {chat}: {back[:3]}")
    verdict.wire_duplicates += len(numbers) - len(set(numbers))
    return numbers
