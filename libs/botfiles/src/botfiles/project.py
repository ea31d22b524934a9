"""What a project has, read from the registry, with names in place of ids."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from botfiles.api import Api
from botfiles.errors import CannotGoOn
from botfiles.kinds import API_CALL, BOT, ENDPOINT, FLOW, SEGMENT, TRIGGER, Content, Kind
from botfiles.planning import Known
from botfiles.things import CONTENT, DRAFT, PUBLISHED, Found
from contracts.registry import PROJECT_WEBHOOK


@dataclass(slots=True)
class Project:
    """`ids` and `names`: of bots and flows, by kind; a flow's name is `<bot>/<slug>`."""

    id: str
    found: list[Found] = field(default_factory=list)
    known: Known = field(default_factory=Known)
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def note(self, kind: Kind, name: str, id: str) -> None:
        """A bot or flow that there is."""
        self.ids[kind.word, name] = id
        self.names[id] = name


async def read_project(api: Api) -> Project:
    """Raises CannotGoOn, also where two things of a kind have one name."""
    projects = await api.items("/v1/projects")
    if len(projects) != 1:
        raise CannotGoOn("the operator's token is for all projects: say which one by --project or SWITCHHOOK_PROJECT")
    project = Project(projects[0]["id"])
    for bot in await api.items("/v1/bots"):
        project.note(BOT, bot["name"], bot["id"])
        project.found.append(found_of(project, BOT, bot))
    for kind in (SEGMENT, API_CALL, ENDPOINT):
        shown = await api.items(f"/v1/{kind.noun}")
        project.found += [found_of(project, kind, one) for one in shown if not _is_projects_own(kind, one)]
    for flow in await api.items("/v1/flows"):
        project.found.append(await _flow(api, project, flow))
    await _read_triggers(api, project)
    _refuse_same_names(project.found)
    return project


def _is_projects_own(kind: Kind, shown: Content) -> bool:
    return kind is ENDPOINT and shown["name"] == PROJECT_WEBHOOK


async def _read_triggers(api: Api, project: Project) -> None:
    tokens, channels = defaultdict[str, list[str]](list), defaultdict[str, dict[str, list[str]]](dict)
    for token in await api.items("/v1/tokens"):
        if "replaced_by" not in token:
            tokens[token["name"]].append(token["id"])
    for channel in await api.items("/v1/channels"):
        channels[project.names[channel["bot_id"]]].setdefault(channel["name"], []).append(channel["id"])
    secrets = frozenset(secret["name"] for secret in await api.items("/v1/secrets"))
    project.known = Known(secrets, tokens, channels)
    for trigger in await api.items("/v1/triggers"):
        project.found.append(found_of(project, TRIGGER, trigger))


async def _flow(api: Api, project: Project, shown: Content) -> Found:
    path = f"/v1/flows/{shown['id']}"
    draft = await api.get(f"{path}/draft")
    published = None
    if "published" in shown:
        published = (await api.get(f"{path}/versions/{shown['published']}")).body["document"]
        published = {name: value for name, value in published.items() if name != "tests"}
    name = f"{project.names[shown['bot_id']]}/{shown['slug']}"
    project.note(FLOW, name, shown["id"])
    etags = {DRAFT: draft.etag, PUBLISHED: f'"{shown["version"]}"'}
    return Found(FLOW, name, shown["id"], {DRAFT: draft.body["document"], PUBLISHED: published}, etags)


def found_of(project: Project, kind: Kind, shown: Mapping[str, Any]) -> Found:
    """What the API shows of one thing, other than a flow."""
    content = _trigger(project, shown) if kind is TRIGGER else kind.whole(_fields(kind, shown))
    name = str(content.get("name"))
    if kind is ENDPOINT:
        content["bots"] = sorted(project.names[bot] for bot in content["bots"])
    if kind is TRIGGER:
        name = f"{project.names[shown['bot_id']]}/{content['flow']}-{content['entry']}"
    return Found(kind, name, shown["id"], {CONTENT: content}, {CONTENT: f'"{shown["version"]}"'})


def _fields(kind: Kind, shown: Mapping[str, Any]) -> Content:
    return {name: shown[name] for name in (*kind.required, *kind.optional) if name in shown}


def _trigger(project: Project, shown: Mapping[str, Any]) -> Content:
    bot = project.names[shown["bot_id"]]
    channels = project.known.channels.get(bot, {})
    channel = _name_of(shown.get("channel_id"), channels) if sum(map(len, channels.values())) > 1 else None
    return TRIGGER.whole(
        {
            "flow": project.names[shown["flow_id"]].rpartition("/")[2],
            "entry": shown["entry"],
            "channel": channel,
            "group": shown.get("group_peer_id"),
            "auth": shown["auth"]["scheme"],
            "token": _name_of(shown["auth"].get("token_id"), project.known.tokens),
        }
    )


def _name_of(id: str | None, named: Mapping[str, Sequence[str]]) -> str | None:
    return next((name for name, ids in named.items() if id in ids), None)


def _refuse_same_names(found: Iterable[Found]) -> None:
    seen = set[tuple[str, str]]()
    for each in found:
        if each.kind is not TRIGGER and (each.kind.word, each.name) in seen:
            raise CannotGoOn(
                f"the project has two of the name {each.kind.word} {each.name!r}: rename one, files know names"
            )
        seen.add((each.kind.word, each.name))
