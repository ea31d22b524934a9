"""Bots: what a person talks to, on one or more channels."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from contracts.ids import uuid7
from contracts.registry import Bot, OptOut
from contracts.registry.bot import COMES_BACK, opt_out_word
from registry.entities import Stored
from registry.resources.resource import Made, Resource
from registry.values.inputs import HttpUrl, Input, Name
from registry.writing.unit import Unit

MOST_WORDS, LONGEST_WORD, LONGEST_ANSWER = 20, 64, 1000


def _different(words: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(map(opt_out_word, words))) < len(words):
        raise ValueError("each word once, in whatever case")
    return words


Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_WORD)]
Words = Annotated[tuple[Word, ...], Field(min_length=1, max_length=MOST_WORDS), AfterValidator(_different)]
Answer = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ANSWER)]
_ELSE = OptOut()


class OptOutWords(Input):
    """Words by which a person unsubscribes, and comes back: a message that is one of them, in any case."""

    words: Words = _ELSE.words
    """Who writes one of these gets no broadcast any more, and no flow that another program starts."""
    text: Answer = _ELSE.text
    """What the bot answers."""
    back: Words = _ELSE.back
    """Who writes one of these, or /start, is subscribed again."""
    back_text: Answer = _ELSE.back_text
    """What the bot answers to one of these."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := set(map(opt_out_word, self.words)) & set(map(opt_out_word, self.back)):
            raise ValueError(f"{min(both)!r} stands in words and in back: it can mean one of them")
        return self

    @field_validator("words")
    @classmethod
    def _leaves_the_way_back(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if COMES_BACK in map(opt_out_word, words):
            raise ValueError(f"not {COMES_BACK}, which subscribes again")
        return words


class NewBot(Input):
    """`variables` are what its flows read as `bot.<name>`."""

    name: Name
    """What it is called."""
    photo: HttpUrl | None = None
    """The URL of a picture."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Values that its flows read."""
    opt_out: OptOutWords | None = None
    """The words by which people unsubscribe; null: there are none. `{}` has those that hold where nothing else is said."""


class BotPatch(Input):
    name: Name = ""
    """What it is called."""
    photo: HttpUrl | None = None
    """The URL of a picture."""
    variables: dict[str, Any] = Field(default_factory=dict)
    """Values that its flows read."""
    opt_out: OptOutWords | None = None
    """The words by which people unsubscribe; null: there are none. `{}` has those that hold where nothing else is said."""


async def create(unit: Unit, new: NewBot) -> Made[Bot]:
    entity = Bot(
        id=str(uuid7()),
        project_id=unit.project,
        name=new.name,
        photo=new.photo,
        variables=new.variables,
        opt_out=_opt_out(new.opt_out),
    )
    return Made(await unit.add(entity))


async def change(unit: Unit, stored: Stored[Bot], patch: BotPatch) -> Stored[Bot]:
    given = patch.given()
    if "opt_out" in given:
        given["opt_out"] = _opt_out(patch.opt_out)
    return await unit.save(stored.entity.model_copy(update=given), extra=stored.extra)


def _opt_out(said: OptOutWords | None) -> OptOut | None:
    return None if said is None else OptOut(**said.model_dump())


RESOURCE = Resource(
    noun="bots", model=Bot, new=NewBot, patch=BotPatch, create=create, change=change, filters={"name": "name"}
)
