"""The plan: what would be done to a project so that it is as a folder says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from botfiles.kinds import BOT, ENDPOINT, FLOW, KINDS, TRIGGER
from botfiles.remembered import Both, Remembered
from botfiles.things import PUBLISHED, Found, Wanted, differences, digest, entry_of, is_hidden, secrets_of, shown

Action = Literal["create", "change", "publish", "unchanged", "conflict", "blocked", "absent"]
MEANWHILE = "it was changed in the project since this folder was applied or exported"
UNKNOWN = "the project has another one, which this folder has neither made nor exported"
Rule = Callable[[Wanted, Found], bool]
GONE = "it was deleted in the project since this folder was applied or exported"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing and what is to be done with it. `parts`: those that differ. `why`: what keeps it from being done, or the fields
    that differ."""

    action: Action
    wanted: Wanted | None = None
    found: Found | None = None
    parts: tuple[str, ...] = ()
    why: str = ""

    @property
    def thing(self) -> Wanted | Found:
        """Whichever there is, the file's first."""
        if self.wanted is not None:
            return self.wanted
        assert self.found is not None
        return self.found


@dataclass(frozen=True, slots=True)
class Known:
    """What files refer to and do not hold: names of secrets, ids of tokens by name, ids of channels by name of each bot."""

    secrets: Collection[str] = ()
    tokens: Mapping[str, Sequence[str]] = field(default_factory=dict)
    channels: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)


def plan(
    wanted: Sequence[Wanted], found: Sequence[Found], known: Known, remembered: Remembered, *, overwrite: bool = False
) -> list[Step]:
    """A step for each file, in the order in which they are done, and after them for each thing that no file describes."""
    pairs, rest = paired(wanted, found, remembered)
    everything: list[Wanted | Found] = [*wanted, *found]
    bots = {each.name for each in everything if each.kind is BOT}
    steps = [
        _blocked(_step(mine, theirs, remembered, overwrite=overwrite), known, bots)
        for mine, theirs in sorted(pairs, key=lambda pair: (KINDS.index(pair[0].kind), pair[0].name))
    ]
    ours = {mine.bot for mine in wanted if mine.kind is BOT}
    return steps + [
        Step("absent", found=each) for each in rest if each.kind not in (FLOW, TRIGGER) or _bot(each) in ours
    ]


def _bot(found: Found) -> str:
    return found.name.rpartition("/")[0]


def paired(
    wanted: Sequence[Wanted], found: Sequence[Found], remembered: Remembered
) -> tuple[list[tuple[Wanted, Found | None]], list[Found]]:
    """Files with what they describe, and what none does. Triggers have no names: one is known by its id of the last time, else by
    being equal, else by being the only one of its entry on both sides."""
    by_name = {(each.kind.word, each.name): each for each in found if each.kind is not TRIGGER}
    pairs: list[tuple[Wanted, Found | None]] = [
        (mine, by_name.pop((mine.kind.word, mine.name), None)) for mine in wanted if mine.kind is not TRIGGER
    ]
    mine = [each for each in wanted if each.kind is TRIGGER]
    theirs = [each for each in found if each.kind is TRIGGER]
    for rule in (_same_id(remembered), _equal, _only_one(mine, theirs)):
        for one in list(mine):
            other = next((each for each in theirs if rule(one, each)), None)
            if other is not None:
                pairs.append((one, other))
                mine.remove(one)
                theirs.remove(other)
    return pairs + [(one, None) for one in mine], [*by_name.values(), *theirs]


def _same_id(remembered: Remembered) -> Rule:
    return lambda mine, theirs: remembered.id(TRIGGER.word, mine.name) == theirs.id


def _equal(mine: Wanted, theirs: Found) -> bool:
    return mine.bot == _bot(theirs) and mine.content == theirs.content


def _only_one(mine: list[Wanted], theirs: list[Found]) -> Rule:
    def rule(one: Wanted, other: Found) -> bool:
        entry = entry_of(one.bot, one.content)
        same_here = [each for each in mine if entry_of(each.bot, each.content) == entry]
        same_there = [each for each in theirs if entry_of(_bot(each), each.content) == entry]
        return same_there == [other] and len(same_here) == 1

    return rule


def _step(mine: Wanted, theirs: Found | None, remembered: Remembered, *, overwrite: bool) -> Step:
    if theirs is None:
        is_gone = any(remembered.part(mine.kind.word, mine.name, part) for part in mine.parts) and not overwrite
        return Step("conflict" if is_gone else "create", mine, None, tuple(mine.parts), GONE if is_gone else "")
    verdicts = {part: _judged(mine, theirs, part, remembered) for part in mine.parts}
    parts = tuple(part for part, verdict in verdicts.items() if verdict != "same")
    where = ", ".join(dict.fromkeys(each for part in parts for each in _where(mine, theirs, part)))
    if "conflict" in verdicts.values() and not overwrite:
        knows = any(remembered.part(mine.kind.word, mine.name, part) for part in mine.parts)
        return Step("conflict", mine, theirs, parts, f"{MEANWHILE if knows else UNKNOWN}: {where}")
    if not parts:
        return Step("unchanged", mine, theirs)
    return Step("publish" if parts == (PUBLISHED,) else "change", mine, theirs, parts, where)


def _where(mine: Wanted, theirs: Found, part: str) -> list[str]:
    if part == PUBLISHED and theirs.parts[part] is None:
        return ["never published"]
    hidden = shown(mine.kind, mine.parts[part])
    return differences(hidden, theirs.parts[part]) or ["values that the project does not show"]


def _judged(mine: Wanted, theirs: Found, part: str, remembered: Remembered) -> Literal["same", "write", "conflict"]:
    want, has = mine.parts[part], theirs.parts[part]
    if has == want:
        return "same"
    known = remembered.part(mine.kind.word, mine.name, part)
    if known == Both(digest(want), digest(has)):
        return "same"
    if has is None or has == shown(mine.kind, want):
        return "write"  # Nothing is published, or what can be seen is equal: nobody's work is overwritten.
    return "write" if known is not None and known.project == digest(has) else "conflict"


def _blocked(step: Step, known: Known, bots: Collection[str]) -> Step:
    if step.wanted is None or step.action in ("unchanged", "conflict"):
        return step
    why = next(_missing(step.wanted, step.found, known, bots), None)
    return step if why is None else Step("blocked", step.wanted, step.found, step.parts, why)


def _missing(mine: Wanted, theirs: Found | None, known: Known, bots: Collection[str]) -> Iterator[str]:
    for secret in sorted(secrets_of(mine.kind, mine.content) - set(known.secrets)):
        yield f"the project has no secret {secret!r}: make it (POST /v1/secrets)"
    for name in mine.kind.fixed:
        if theirs is not None and mine.content[name] != theirs.content[name]:
            yield f"the field {name!r} cannot be changed: delete it in the project, or give it another name"
    if theirs is None and is_hidden(mine.content):
        yield "[hidden] stands for a value that this project does not have: write it, or better secret.<name>"
    if mine.kind is ENDPOINT:
        for bot in mine.content["bots"]:
            if bot not in bots:
                yield f"there is no bot {bot!r}"
    if mine.kind is TRIGGER:
        yield from _missing_of_trigger(mine, known)


def _missing_of_trigger(mine: Wanted, known: Known) -> Iterator[str]:
    channels, content = known.channels.get(mine.bot, {}), mine.content
    ids = [id for each in channels.values() for id in each]
    if content["channel"] is not None:
        ids = list(channels.get(content["channel"], ()))
    if len(ids) != 1:
        named = "" if content["channel"] is None else f" named {content['channel']!r}"
        yield f"the bot has {len(ids) or 'no'} channel{'s' if len(ids) > 1 else ''}{named}: " + (
            "name one that is unique in the field channel" if ids else "connect one (POST /v1/channels)"
        )
    if content["auth"] == "token" and len(known.tokens.get(content["token"], ())) != 1:
        yield f"the project has no token, or several, named {content['token']!r}: make one with flows:execute (POST /v1/tokens)"
