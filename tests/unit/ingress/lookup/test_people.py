import pytest

from contracts.people import Person
from contracts.registry import Channel
from ingress.lookup.people import address_of, parse_peer, parse_person
from servicekit.web.problems import ProblemError
from support.ingress_fakes import BOT, CHANNEL, PROJECT, registry


@pytest.fixture
def view():
    return registry()[0]


def second_channel(view, **more):
    known = {"id": "channel-2", "project_id": PROJECT, "bot_id": BOT, "type": "webchat", "name": "web"}
    view.put("channel", Channel(**(known | more)))


@pytest.mark.parametrize(
    ("given", "peer"), [("12345", "12345"), (-100123, "-100123"), ("a.b_c:d@e+f-g", "a.b_c:d@e+f-g")]
)
def test_a_peer_is_a_string_or_an_integer(given, peer):
    assert parse_peer(given) == peer


@pytest.mark.parametrize("given", ["", "a" * 129, "a/b", "a b", 1.5, True, None, [], "х"])
def test_any_other_peer_is_refused(given):
    with pytest.raises(ProblemError) as refused:
        parse_peer(given)
    assert refused.value.status == 422


@pytest.mark.parametrize(
    "given",
    [
        {}, {"email": "a@b.c", "phone": "1"}, {"name": "Ann"}, "ann", {"email": ""}, {"email": 5},
        {"external_id": "x" * 257}, {"external_id": "a\nb"}, {"channel_id": "c"},
    ],
)  # fmt: skip
def test_a_person_is_named_in_exactly_one_way(given):
    with pytest.raises(ProblemError) as refused:
        parse_person(given)
    assert refused.value.status == 422


def test_a_peer_of_the_bots_only_channel_is_a_conversation(view):
    address = address_of(view, BOT, PROJECT, Person(peer_id="5"), None)
    assert (address.key, address.channel_type, address.person) == (f"{BOT}/{CHANNEL}/5", "telegram", None)


def test_a_peer_without_a_channel_is_refused_where_the_bot_has_two(view):
    second_channel(view)
    with pytest.raises(ProblemError, match="channel-needed"):
        address_of(view, BOT, PROJECT, Person(peer_id="5"), None)
    assert address_of(view, BOT, PROJECT, Person(peer_id="5", channel_id="channel-2"), None).channel_id == "channel-2"


def test_the_triggers_channel_decides(view):
    second_channel(view)
    assert address_of(view, BOT, PROJECT, Person(peer_id="5"), CHANNEL).channel_id == CHANNEL
    with pytest.raises(ProblemError, match="invalid"):
        address_of(view, BOT, PROJECT, Person(peer_id="5", channel_id="channel-2"), CHANNEL)


def test_another_bots_channel_is_not_found(view):
    second_channel(view, bot_id="bot-2")
    with pytest.raises(ProblemError, match="404"):
        address_of(view, BOT, PROJECT, Person(peer_id="5", channel_id="channel-2"), None)


def test_who_is_named_otherwise_is_for_the_engine_to_find(view):
    address = address_of(view, BOT, PROJECT, Person(email="ann@example.com"), CHANNEL)
    assert address.key == f"{BOT}/-/email:ann@example.com"
    assert (address.channel_id, address.peer_id) == ("-", "-")
    assert address.person == Person(email="ann@example.com", channel_id=CHANNEL)


def test_a_name_does_not_lead_a_trigger_to_another_channel_than_its_own(view):
    second_channel(view)
    with pytest.raises(ProblemError, match="invalid"):
        address_of(view, BOT, PROJECT, Person(email="ann@example.com", channel_id="channel-2"), CHANNEL)
    elsewhere = Person(email="ann@example.com", channel_id="channel-2")
    assert address_of(view, BOT, PROJECT, elsewhere, None).person == elsewhere
