"""A filter as a condition of SQL is true of the same contacts as the filter itself, over PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import uuid4

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flow_engine.segments.people import person
from flow_engine.store import contact_lists
from flow_engine.store.contact_lists import FIRST_PARAMETER, Filter
from flow_engine.store.segment_sql import condition
from flowlang.segments.filter import SegmentFilter
from flowlang.work import Work
from support.engine_database import engine_pool

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PEOPLE = 200
MADE = """
INSERT INTO contact (id, project_id, bot_id, created_at, email, profile, variables, tags, flags, webhook_titles)
SELECT id, 'p', 'b', created_at, email, profile, variables, ARRAY(SELECT jsonb_array_elements_text(tags)),
       ARRAY(SELECT jsonb_array_elements_text(flags)), ARRAY(SELECT jsonb_array_elements_text(webhook_titles))
  FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::jsonb[], $5::jsonb[], $6::jsonb[], $7::jsonb[],
              $8::jsonb[])
    u(id, created_at, email, profile, variables, tags, flags, webhook_titles)
"""
SAID = """
INSERT INTO conversation (id, key, version, seen, state, contact_id, last_user_at)
SELECT gen_random_uuid(), 'b/c/' || id, 1, '', '{}', id, at FROM unnest($1::uuid[], $2::timestamptz[]) u(id, at)
"""
WORDS = ("", "Riga", "Rīga", "riga", "ri", "a", "vip", "VIP", "1", "ž", "\U0001f600", "%", 'q"', "\\")
NUMBERS = (
    0,
    1,
    -1,
    3,
    10,
    2**53,
    2**53 + 1,
    -(2**53),
    2**62,
    0.0,
    -0.0,
    1.0,
    1.5,
    0.1,
    1e-7,
    3e20,
    2.0**53,
    1e300,
    5e-324,
)
MOMENTS = tuple(NOW - timedelta(days=days, microseconds=micros) for days in (0, 1, 30, 400) for micros in (0, 1))
words, numbers = st.sampled_from(WORDS), st.sampled_from(NUMBERS)
literals = (words | st.booleans()).map(lambda value: orjson.dumps(value).decode()) | numbers.map(repr)
paths = st.sampled_from(
    ("contact.variables.a", 'contact.variables["b"]', "contact.city", "contact.name", "contact.email", "contact.id")
)
variables = st.sampled_from(("contact.variables.a", "contact.variables.b"))
times = st.sampled_from(("contact.created_at", "contact.last_seen_at"))
moments = st.sampled_from(
    (*(f'timestamp("{moment.isoformat()}")' for moment in MOMENTS), 'now - duration("720h")', "now", 'timestamp("0001-01-01T00:00:00Z")',
     'now - duration("900000000h")', 'timestamp("no time")')
)  # fmt: skip
signs, equals = st.sampled_from(("==", "!=", "<", "<=", ">", ">=")), st.sampled_from(("==", "!="))
texts = words.map(lambda value: orjson.dumps(value).decode())
parts = st.one_of(
    st.builds("{} {} {}".format, variables, signs, literals),
    st.builds("{1} {2} {0}".format, variables, literals, signs),
    st.builds("{} {} {}".format, paths, signs, texts),
    st.builds("{} {} {}".format, times, signs, moments),
    st.builds("{} in contact.tags".format, literals),
    st.builds("{} in contact.{}".format, texts, st.sampled_from(("flags", "webhook_titles"))),
    st.builds("{} in {}".format, texts, variables),
    st.builds("{} in [{}]".format, paths, st.lists(literals | st.just("null"), max_size=3).map(", ".join)),
    st.builds("has({})".format, st.sampled_from(("contact.city", "contact.email", "contact.variables.a", "contact.tags", "contact.webhook_titles", "contact.last_seen_at", "contact.created_at", "contact.variables"))),
    st.builds("{}.{}({})".format, paths, st.sampled_from(("startsWith", "endsWith", "contains")), texts),
    variables,
    st.builds("{} == {}".format, variables, st.just("null")),
    st.sampled_from(("true", "false", "1 / 0 == 1", "now > now")),
)  # fmt: skip
filters = st.recursive(
    parts,
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=5,
)


def somebody(dice: Random) -> dict[str, Any]:
    """A person with a few values of all kinds, or without."""

    def value(depth: int = 0) -> Any:
        kind = dice.randrange(5 if depth else 7)
        if kind == 5:
            return [dice.choice((value(1), None)) for _ in range(dice.randrange(4))]
        if kind == 6:
            return {dice.choice(WORDS): value(1) for _ in range(dice.randrange(3))}
        return dice.choice((dice.choice(WORDS), dice.choice(NUMBERS), dice.random() < 0.5))

    def some(names: tuple[str, ...], make: Callable[[], Any]) -> dict[str, Any]:
        return {name: make() for name in names if dice.random() < 0.7}

    return {
        "email": dice.choice((None, *WORDS)),
        "profile": some(("city", "name"), lambda: dice.choice(WORDS)),
        "variables": some(("a", "b"), value),
        "tags": dice.choices(WORDS, k=dice.randrange(4)),
        "flags": dice.choices(WORDS, k=dice.randrange(3)),
        "webhook_titles": dice.choices(WORDS, k=dice.randrange(3)),
        "created_at": dice.choice(MOMENTS),
        "seen": dice.choice((None, *MOMENTS)),
    }


@pytest.fixture
async def connection(module_database: str) -> AsyncIterator[Any]:
    """With PEOPLE, of whom one has more of everything than an expression may see."""
    dice = Random(7)
    some = [somebody(dice) for _ in range(PEOPLE)]
    many = [str(number) for number in range(1001)] + ["vip"]
    some[0] |= {"tags": many, "flags": many, "variables": {"a": many, "b": dict.fromkeys(many, 1)}}
    some[1] |= {"variables": dict.fromkeys(many, 1) | {"a": 1, "b": "vip"}}
    ids = [uuid4() for _ in some]
    columns = [
        [orjson.dumps(one[name]).decode() for one in some]
        for name in ("profile", "variables", "tags", "flags", "webhook_titles")
    ]
    said = [(id, one["seen"]) for id, one in zip(ids, some, strict=True) if one["seen"]]
    async with engine_pool(module_database) as pool, pool.acquire() as connection:
        await connection.execute(
            MADE, ids, [one["created_at"] for one in some], [one["email"] for one in some], *columns
        )
        await connection.execute(SAID, [id for id, _ in said], [at for _, at in said])
        yield connection


class Known(list[dict[str, Any]]):
    """All of them, as filters see them."""

    def __repr__(self) -> str:
        return f"{len(self)} people"


@pytest.fixture
async def known(connection: Any) -> Known:
    return Known(map(person, (await contact_lists.page(connection, Filter("b"), None, PEOPLE)).items))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sources=st.lists(filters, min_size=3, max_size=8))
async def test_sql_and_cel_have_the_same_members(connection: Any, known: Known, sources: list[str]) -> None:
    for source in sources:
        try:
            filter = SegmentFilter(source)
        except ValueError:
            continue
        compiled = condition(filter, "p", NOW, FIRST_PARAMETER)
        if compiled is None:
            continue
        found, _ = await contact_lists.ids(connection, Filter("b", condition=compiled), None, PEOPLE)
        assert set(found) == {one["id"] for one in known if filter.holds(one, NOW, Work())}, source
