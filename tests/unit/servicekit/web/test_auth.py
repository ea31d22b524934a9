import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from contracts.registry import Token
from servicekit.credentials.tokens import NewToken, digest, generate_token
from servicekit.web import auth
from servicekit.web.auth import Authoriser, Paced, bearer, inside
from servicekit.web.problems import ProblemError
from support.waiting import eventually

OPERATOR = "operator-" + "x" * 32
PROJECT = "0198c0c0-0000-7000-8000-000000000001"


class View:
    """A registry view that can be behind its topic."""

    def __init__(self) -> None:
        self.tokens: dict[str, Token] = {}
        self.gone: set[str] = set()
        self.arriving: list[Token] = []
        self.catches_up = True
        self.fetches = 0

    def find(self, kind, index, value):
        assert (kind, index) == ("token", "sha256")
        return self.tokens.get(value)

    def deleted(self, kind, id):
        assert kind == "token"
        return id in self.gone

    async def current(self):
        self.fetches += 1
        await asyncio.sleep(0)
        for token in self.arriving if self.catches_up else []:
            self.tokens[token.sha256] = token
        return self.catches_up


@pytest.fixture
def view():
    return View()


@pytest.fixture
def authoriser(view, monkeypatch):
    monkeypatch.setattr(auth, "CATCH_UP_PAUSE", 0)
    return Authoriser(view, SecretStr(OPERATOR))


def entity(new: NewToken, **fields) -> Token:
    return Token(
        **{"id": new.id, "project_id": PROJECT, "name": "shop", "sha256": new.sha256, "scopes": ("flows:execute",)}
        | fields
    )


def known(view: View, **fields) -> str:
    new = generate_token()
    view.tokens[new.sha256] = entity(new, **fields)
    return f"Bearer {new.text}"


async def refusal(call) -> ProblemError:
    with pytest.raises(ProblemError) as refused:
        await call
    return refused.value


async def test_a_token_whose_deletion_was_seen_is_refused_at_once_even_while_kafka_is_away(authoriser, view):
    new = generate_token()
    view.gone.add(new.id)
    view.catches_up = False
    refused = await refusal(authoriser.authorise(f"Bearer {new.text}", None, None))
    assert (refused.status, view.fetches) == (401, 0)


async def test_a_known_token_is_its_project(authoriser, view):
    caller = await authoriser.authorise(known(view), "flows:execute", "192.0.2.1", project="another")
    assert (caller.project_id, caller.scopes, caller.is_operator) == (PROJECT, {"flows:execute"}, False)
    assert view.fetches == 0


async def test_the_header_may_be_bytes_and_its_scheme_of_any_case(authoriser, view):
    header = known(view).replace("Bearer", "bEARER").encode()
    assert (await authoriser.authorise(header, "flows:execute", None)).project == PROJECT


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", b"", "swh_abc"])
async def test_without_a_bearer_token_it_is_401(authoriser, view, header):
    problem = await refusal(authoriser.authorise(header, "admin", None))
    assert (problem.status, problem.headers) == (401, {"WWW-Authenticate": "Bearer"})
    assert view.fetches == 0


async def test_a_missing_scope_is_named(authoriser, view):
    problem = await refusal(authoriser.authorise(known(view), "data:read", None))
    assert (problem.status, problem.type_slug, problem.extra) == (403, "scope-missing", {"scope": "data:read"})
    assert "data:read" in problem.detail


async def test_admin_is_every_scope_of_its_project_but_not_the_operator(authoriser, view):
    caller = await authoriser.authorise(known(view, scopes=("admin",)), "data:read", None)
    with pytest.raises(ProblemError, match="403"):
        caller.require_operator()


async def test_a_token_made_a_moment_ago_works(authoriser, view):
    new = generate_token()
    view.arriving = [entity(new)]
    assert (await authoriser.authorise(f"Bearer {new.text}", "flows:execute", None)).token_id == new.id


async def test_a_revoked_token_is_401_although_it_was_used_before(authoriser, view):
    header = known(view)
    await authoriser.authorise(header, "flows:execute", None)
    view.tokens.clear()
    assert (await refusal(authoriser.authorise(header, "flows:execute", None))).status == 401


async def test_what_cannot_be_known_is_503_and_not_remembered(authoriser, view):
    new = generate_token()
    view.arriving, view.catches_up = [entity(new)], False
    problem = await refusal(authoriser.authorise(f"Bearer {new.text}", "flows:execute", None))
    assert (problem.status, problem.headers) == (503, {"Retry-After": "1"})
    view.catches_up = True
    assert (await authoriser.authorise(f"Bearer {new.text}", "flows:execute", None)).token_id == new.id


async def test_a_wrong_checksum_is_answered_like_any_unknown_token_and_looked_up_nowhere(authoriser, view):
    real = known(view)
    wrong = real[:-1] + ("a" if real[-1] != "a" else "b")
    unknown = f"Bearer {generate_token().text}"
    answers, fetched = [], []
    for header in (wrong, unknown):
        before = view.fetches
        problem = await refusal(authoriser.authorise(header, "flows:execute", None))
        answers.append((problem.status, problem.type_slug, problem.detail))
        fetched.append(view.fetches - before)
    assert answers[0] == answers[1]
    assert fetched == [0, 1]


async def test_garbage_does_not_reach_the_broker(authoriser, view):
    for text in ("garbage", "x" * 10_000, "swh_short"):
        await refusal(authoriser.authorise(f"Bearer {text}", None, None))
    assert view.fetches == 0


async def test_a_token_that_was_not_found_is_remembered(authoriser, view):
    header = f"Bearer {generate_token().text}"
    for _ in range(5):
        await refusal(authoriser.authorise(header, None, None))
    assert view.fetches == 1


async def test_many_unknown_tokens_share_one_fetch(authoriser, view):
    calls = [refusal(authoriser.authorise(f"Bearer {generate_token().text}", None, None)) for _ in range(500)]
    assert {problem.status for problem in await asyncio.gather(*calls)} == {401}
    assert view.fetches == 1


async def test_remembered_misses_are_bounded(authoriser, monkeypatch):
    monkeypatch.setattr(auth, "MISSES_KEPT", 10)
    calls = [refusal(authoriser.authorise(f"Bearer {generate_token().text}", None, None)) for _ in range(100)]
    await asyncio.gather(*calls)
    assert len(authoriser._misses) <= 10


async def test_an_expired_token_is_401(authoriser, view):
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    future = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (await refusal(authoriser.authorise(known(view, expires_at=past), None, None))).status == 401
    assert await authoriser.authorise(known(view, expires_at=future), None, None)


async def test_a_token_works_from_its_addresses_only(authoriser, view):
    header = known(view, allowed_cidrs=("192.0.2.0/24", "2001:db8::/32"))
    for address in ("192.0.2.9", "2001:db8::1", "::ffff:192.0.2.9"):
        assert await authoriser.authorise(header, None, address)
    for address in ("198.51.100.1", None, "unix"):
        assert (await refusal(authoriser.authorise(header, None, address))).type_slug == "address-not-allowed"


async def test_the_operator_names_the_project_and_has_every_scope(authoriser, view):
    caller = await authoriser.authorise(f"Bearer {OPERATOR}", "data:write", None, project=PROJECT)
    assert (caller.project_id, caller.is_operator) == (PROJECT, True)
    caller.require_operator()
    nobody = await authoriser.authorise(f"Bearer {OPERATOR}", "data:write", None)
    with pytest.raises(ProblemError) as refused:
        _ = nobody.project_id
    assert refused.value.status == 422


async def test_catching_up_is_paced_and_begins_after_the_call():
    begun: list[float] = []
    gate = asyncio.Event()

    async def fetch() -> bool:
        begun.append(asyncio.get_running_loop().time())
        await gate.wait()
        return True

    paced = Paced(fetch, 0.05)
    first = asyncio.create_task(paced())
    await eventually(lambda: begun)
    late = [asyncio.create_task(paced()) for _ in range(10)]  # The fetch under way began before them.
    gate.set()
    assert await asyncio.gather(first, *late) == [True] * 11
    assert len(begun) == 2
    assert begun[1] - begun[0] >= 0.045


async def test_one_impatient_caller_does_not_cancel_the_others():
    gate = asyncio.Event()

    async def fetch() -> bool:
        await gate.wait()
        return True

    paced = Paced(fetch, 0)
    one, other = asyncio.create_task(paced()), asyncio.create_task(paced())
    await asyncio.sleep(0)
    one.cancel()
    gate.set()
    assert await other


def test_bearer_takes_the_text_as_it_is():
    assert bearer("Bearer  swh_a_b ") == "swh_a_b"


def test_an_address_outside_is_outside():
    assert inside("10.0.0.1", ("10.0.0.0/8",))
    assert not inside("10.0.0.1", ("::/0",))


@pytest.mark.parametrize("given", [OPERATOR, f"sha256:{digest(OPERATOR)}"])
async def test_the_operators_token_is_known_by_its_digest_and_not_kept(view, given):
    authoriser = Authoriser(view, SecretStr(given))
    assert (await authoriser.authorise(f"Bearer {OPERATOR}", "admin", None)).is_operator
    assert OPERATOR not in str(vars(authoriser))
    for wrong in (digest(OPERATOR), f"sha256:{digest(OPERATOR)}"):
        assert (await refusal(authoriser.authorise(f"Bearer {wrong}", "admin", None))).status == 401
