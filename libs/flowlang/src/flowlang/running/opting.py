"""The words by which a person unsubscribes and comes back. They are taken before commands, questions and calls in flight.

Who unsubscribes ends what they were in the middle of, so that no delay or time-out of it writes to them later. `/start`
subscribes again and is then a command like any other.
"""

from __future__ import annotations

from typing import Literal

from contracts.registry.bot import COMES_BACK, opt_out_word
from flowlang.model import RunEnd, Say
from flowlang.running import sessions
from flowlang.running.parts import in_parts
from flowlang.running.run import Run


def took(run: Run) -> bool:
    """Whether the message was such a word, and is thereby answered. In a group nobody speaks for the others."""
    meant, rules = _meant(run), run.tools.opt_out
    if rules is not None and meant == "leave":
        _leave(run, rules.text)
    elif meant is not None:
        _come_back(run)
        if rules is not None and meant == "back":
            _answer(run, rules.back_text)
    return meant in ("leave", "back")


def note(run: Run) -> None:
    """The same while agents answer: the word counts, and the bot neither answers it nor ends what waits for the agents."""
    meant = _meant(run)
    if meant == "leave":
        _opt_out(run)
    elif meant is not None:
        _come_back(run)


def _meant(run: Run) -> Literal["leave", "back", "command"] | None:
    """What the message says of the person's subscription."""
    conversation, text = run.conversation, run.happening.data.get("text")
    rules = run.tools.opt_out
    if (rules is None and not conversation.opted_out) or not isinstance(text, str) or conversation.chat != "private":
        return None
    word = opt_out_word(text.strip())
    if rules is not None and word in _words(rules.words):
        return "leave"
    if not conversation.opted_out:
        return None
    if rules is not None and word in _words(rules.back):
        return "back"
    first = word.split(maxsplit=1)[:1]
    return "command" if first and first[0].partition("@")[0] == COMES_BACK else None


def _words(words: tuple[str, ...]) -> set[str]:
    return set(map(opt_out_word, words))


def _leave(run: Run, text: str) -> None:
    sessions.end_all(run)
    _opt_out(run)
    _answer(run, text)


def _opt_out(run: Run) -> None:
    if not run.conversation.opted_out:
        run.conversation.opted_out = True
        run.tell("bot.unsubscribed", {"reason": "opted-out"})


def _come_back(run: Run) -> None:
    run.conversation.opted_out = False
    run.tell("bot.subscribed", {"reason": "opted-in"})


def _answer(run: Run, text: str) -> None:
    first = run.next_seq
    for part in in_parts(text, run.tools.channel.get("text_limit")):
        run.emit(Say(run.next_seq, part))
        run.conversation.next_seq += 1
    run.settled.add(run.happening.id)
    run.rests.append(RunEnd(run.happening.id, "completed", answer=text, since_seq=first))
