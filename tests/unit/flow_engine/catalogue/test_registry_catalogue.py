"""What turns see of the registry."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from flow_engine.catalogue.links import LinkMaker
from flow_engine.catalogue.registry_catalogue import RegistryCatalogue
from flow_engine.errors import UnknownVersion
from flowlang.model import Conversation
from servicekit.credentials.links import LinkKeys
from support.engine_flows import DELAY, LECTURE
from support.engine_world import BOT, ENTITIES, PROJECT, TELEGRAM, WEB, flow, flow_version, published
from support.registry_in_memory import ViewInMemory

CONVERSATION = Conversation(f"{BOT}/{WEB}/p1", PROJECT, BOT, WEB, "webchat", "p1", "")


@pytest.fixture
def view() -> ViewInMemory:
    return ViewInMemory(*ENTITIES, *published(LECTURE))


def catalogue_on(view: ViewInMemory, *, keys: LinkKeys | None = None, compiled_flows: int = 2) -> RegistryCatalogue:
    return RegistryCatalogue(view, LinkMaker(keys, "http://test"), compiled_flows=compiled_flows)  # type: ignore[arg-type]


def shown(fragment: orjson.Fragment) -> Any:
    return orjson.loads(orjson.dumps(fragment))


def test_surroundings_are_made_once_and_anew_when_the_bot_changes(view: ViewInMemory) -> None:
    catalogue = catalogue_on(view)
    before = catalogue.around(CONVERSATION)
    assert catalogue.around(CONVERSATION) is before
    assert shown(before.bot) == {"id": BOT, "name": "Conference"}
    assert shown(before.channel) == {"id": WEB, "type": "webchat"}
    view.put(ENTITIES[0].model_copy(update={"name": "Fair"}))
    assert shown(catalogue.around(CONVERSATION).bot)["name"] == "Fair"


@pytest.mark.parametrize("kind", ["bot", "channel", "flow", "flow_version"])
def test_what_others_change_makes_nothing_anew_and_what_is_deleted_of_ones_own_does(
    view: ViewInMemory, kind: str
) -> None:
    """Its flows would be compiled anew for each change of anybody, where there are more than are kept compiled."""
    catalogue = catalogue_on(view)
    before = catalogue.around(CONVERSATION)
    theirs = {"id": "theirs", "bot_id": "bot-2"}
    view.put(ENTITIES[0].model_copy(update={"id": "bot-2", "name": "Theirs"}))
    view.put(*(one.model_copy(update={**theirs, "flow_id": "theirs"}) for one in published(LECTURE)))
    view.delete("flow_version", "theirs/1", PROJECT)
    view.delete("flow", "theirs", PROJECT)
    assert catalogue.around(CONVERSATION) is before
    view.delete(kind, {"bot": BOT, "channel": WEB, "flow": "flow-1", "flow_version": "flow-1/1"}[kind], PROJECT)
    assert catalogue.around(CONVERSATION) is not before


def test_a_session_goes_on_with_its_version_and_new_ones_take_the_published(view: ViewInMemory) -> None:
    catalogue = catalogue_on(view)
    flows = catalogue.around(CONVERSATION).flows
    view.put(flow_version(LECTURE, version=2), flow("lecture", published=2))
    assert flows.graph("flow-1", 1).version == 1
    assert catalogue.around(CONVERSATION).flows.current("flow-1").version == 2


def test_unknown_is_not_deleted(view: ViewInMemory) -> None:
    catalogue = catalogue_on(view)
    flows = catalogue.around(CONVERSATION).flows
    with pytest.raises(UnknownVersion):
        flows.graph("flow-1", 9)
    view.delete("flow_version", "flow-1/9", PROJECT)
    assert flows.graph("flow-1", 9) is None


def test_a_published_version_that_is_not_here_starts_nothing(view: ViewInMemory) -> None:
    view.put(flow("later", published=3, id="flow-2"))
    flows = catalogue_on(view).around(CONVERSATION).flows
    assert flows.current("flow-2") is None
    assert flows.current("flow-1") is not None


def test_only_so_many_versions_are_kept_compiled(view: ViewInMemory) -> None:
    catalogue = catalogue_on(view, compiled_flows=1)
    view.put(flow_version(DELAY, flow="old"), flow_version(DELAY, flow="older"))
    flows = catalogue.around(CONVERSATION).flows
    first = flows.graph("old", 1)
    assert flows.graph("old", 1) is first
    flows.graph("older", 1)
    assert flows.graph("old", 1) is not first


def test_a_person_named_by_a_peer_id_alone_may_be_on_any_of_the_bots_channels(view: ViewInMemory) -> None:
    catalogue = catalogue_on(view)
    named: Any = SimpleNamespace(bot_id=BOT, person=SimpleNamespace(peer_id="p1", channel_id=None))
    assert sorted(catalogue.peer_keys(named)) == [f"{BOT}/{TELEGRAM}/p1", f"{BOT}/{WEB}/p1"]
    view.delete("channel", TELEGRAM, PROJECT)
    assert catalogue.peer_keys(named) == [f"{BOT}/{WEB}/p1"]
    assert catalogue.channel_type(f"{BOT}/{WEB}/p1") == "webchat"
    assert catalogue.channel_type(f"{BOT}/{TELEGRAM}/p1") is None


def test_urls_are_signed_with_the_link_key_only(view: ViewInMemory) -> None:
    asked = {"command": "/x", "jti": "j"}
    with pytest.raises(ValueError, match="SWITCHHOOK_LINK_KEY"):
        catalogue_on(view).around(CONVERSATION).tools.sign_link("command", asked)
    keys = LinkKeys("k" * 32)
    tools = catalogue_on(view, keys=keys).around(CONVERSATION).tools
    assert tools.sign_link("command", asked).startswith("http://test/v1/w/")
    payload = {"url": "https://example.com", "node": "n", "expires_at": "2026-11-28T12:00:00.000Z", "jti": "j"}
    link = tools.sign_link("redirect", payload)
    assert link.startswith("http://test/v1/r/")
    opened = keys.open_link(link.removeprefix("http://test/v1/r/"), "r")
    assert opened is not None
    assert {name: opened.payload.get(name) for name in ("url", "node", "expires_at")} == {
        name: payload[name] for name in ("url", "node", "expires_at")
    }
