"""Carries a plan out, thing after thing. What was done is remembered at once, so that the next apply goes on from there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from botfiles.api import Api, ApiRefusal
from botfiles.kinds import API_CALL, BOT, ENDPOINT, FLOW, SEGMENT, TRIGGER, Content, Kind
from botfiles.planning import Step
from botfiles.project import Project, found_of
from botfiles.remembered import Remembered
from botfiles.things import CONTENT, DRAFT, PUBLISHED, Found, Wanted, as_published

WRITES = ("create", "change", "publish")
PRUNED_BEFORE, PRUNED_AFTER = (TRIGGER,), (FLOW, API_CALL, SEGMENT, ENDPOINT)
"""Triggers hold what flows enter by, and flows what they call. Bots are never deleted: people talk to them."""
IN_REQUESTS = {"channel": "channel_id", "group": "peer", "token": "token_id"}
"""Fields of a trigger that files write by names."""
STALE = "it was changed in the meantime: run this again to see how"


class Applying:
    """One run. `say` prints a line; `refused` counts what could not be done."""

    def __init__(self, api: Api, project: Project, remembered: Remembered, say: Callable[[str], None]) -> None:
        self._api, self._project, self._remembered, self._say = api, project, remembered, say
        self.refused = 0

    async def run(self, steps: Sequence[Step], *, prune: bool) -> None:
        """Raises CannotGoOn when the registry does not answer; what was done until then is done."""
        self._remembered.forget_all_but([step.wanted for step in steps if step.wanted is not None])
        for step in steps:
            if step.action == "unchanged":
                self._keep_as_it_is(step)
        self._remembered.save()
        absent = [step for step in steps if step.action == "absent" and prune]
        writes = [step for step in steps if step.action in WRITES]
        await self._delete([step for step in absent if step.thing.kind in PRUNED_BEFORE])
        for step in writes:
            if step.thing.kind is not TRIGGER and step.parts != (PUBLISHED,):
                await self._try(step, self._write)
        await self._publish([step for step in writes if PUBLISHED in step.parts])
        for step in writes:
            if step.thing.kind is TRIGGER:
                await self._try(step, self._write)
        for kind in PRUNED_AFTER:
            await self._delete([step for step in absent if step.thing.kind is kind])

    def _keep_as_it_is(self, step: Step) -> None:
        mine, theirs = step.wanted, step.found
        assert mine is not None
        assert theirs is not None
        for part in mine.parts:
            self._remembered.keep(mine, theirs.id, part, theirs.parts[part])

    async def _try(self, step: Step, work: Callable[[Step], Any], *, last: bool = True) -> bool:
        try:
            await work(step)
        except ApiRefusal as refused:
            if last:
                self.refused += 1
                why = STALE if refused.status == 412 else str(refused)
                self._say(f"refused  {step.thing.kind.word} {step.thing.name}: {why}")
            return False
        self._remembered.save()
        return True

    async def _write(self, step: Step) -> None:
        mine = step.wanted
        assert mine is not None
        if mine.kind is FLOW:
            await self._save_draft(step, mine)
        else:
            await self._save(step, mine)
        self._say(f"{'created' if step.found is None else 'changed':8} {mine.kind.word} {mine.name}")

    async def _save(self, step: Step, mine: Wanted) -> None:
        noun, body = mine.kind.noun, self._body(mine, step.found)
        if step.found is None:
            answer = await self._api.post(f"/v1/{noun}", body)
        else:
            path, etag, names = f"/v1/{noun}/{step.found.id}", step.found.etags[CONTENT], _changed(mine, step.found)
            body = {name: value for name, value in body.items() if name in names}
            answer = await self._api.change("PATCH", path, body, etag=etag)
        shown = answer.body
        if mine.kind is BOT:
            self._project.note(BOT, mine.name, shown["id"])
        theirs = found_of(self._project, mine.kind, shown)
        self._remembered.keep(mine, theirs.id, CONTENT, theirs.content)

    def _body(self, mine: Wanted, found: Found | None) -> Content:
        """Of a new thing what its file says, of another one all fields."""
        if mine.kind is TRIGGER:
            return self._trigger_body(mine)
        content = mine.kind.brief(mine.content) if found is None else mine.content
        bots = [self._id(BOT, bot) for bot in content.get("bots", ())]
        return content | ({"bots": bots} if "bots" in content else {})

    def _trigger_body(self, mine: Wanted) -> Content:
        content, known = mine.content, self._project.known
        channel, token = content["channel"], content["token"]
        channels = known.channels[mine.bot]
        body = {
            "flow": self._id(FLOW, f"{mine.bot}/{content['flow']}"),
            "entry": content["entry"],
            "channel_id": channels[channel][0] if channel is not None else next(iter(channels.values()))[0],
            "peer": "private" if content["group"] is None else {"group": content["group"]},
            "auth": content["auth"],
        }
        return body | ({"token_id": known.tokens[token][0]} if token is not None else {})

    def _id(self, kind: Kind, name: str) -> str:
        id = self._project.ids.get((kind.word, name))
        if id is None:
            raise ApiRefusal(422, f"there is no {kind.word} {name!r}")
        return id

    async def _save_draft(self, step: Step, mine: Wanted) -> None:
        if step.found is None:
            body = {"bot": self._id(BOT, mine.bot), "document": mine.content}
            made = (await self._api.post("/v1/flows", body)).body
            self._project.note(FLOW, mine.name, made["id"])
            self._remembered.forget(FLOW.word, mine.name)
        elif DRAFT in step.parts:
            path = f"/v1/flows/{step.found.id}/draft"
            await self._api.change("PUT", path, {"document": mine.content}, etag=step.found.etags[DRAFT])
        self._remembered.keep(mine, self._id(FLOW, mine.name), DRAFT, mine.content)

    async def _publish(self, steps: Sequence[Step]) -> None:
        """In rounds: a flow may need that another one is published first, which gives a command up."""
        waiting = [step for step in steps if (FLOW.word, step.thing.name) in self._project.ids]
        while waiting:
            left = [step for step in waiting if not await self._try(step, self._publish_one, last=False)]
            if len(left) == len(waiting):
                for step in left:
                    await self._try(step, self._publish_one)
                return
            waiting = left

    async def _publish_one(self, step: Step) -> None:
        mine = step.wanted
        assert mine is not None
        path = f"/v1/flows/{self._id(FLOW, mine.name)}"
        flow, draft = await self._api.get(path), await self._api.get(f"{path}/draft")
        if draft.body["document"] != mine.content:
            raise ApiRefusal(412, STALE)
        version = (await self._api.post(f"{path}/publish", etag=flow.etag)).body["version"]
        published = as_published((await self._api.get(f"{path}/versions/{version}")).body["document"])
        if published != mine.parts[PUBLISHED]:
            raise ApiRefusal(412, STALE)
        self._remembered.keep(mine, self._id(FLOW, mine.name), PUBLISHED, published)
        self._say(f"{'published':8} {mine.kind.word} {mine.name}: version {version}")

    async def _delete(self, steps: Sequence[Step]) -> None:
        for step in steps:
            await self._try(step, self._delete_one)

    async def _delete_one(self, step: Step) -> None:
        found = step.found
        assert found is not None
        etag = found.etags[PUBLISHED if found.kind is FLOW else CONTENT]
        await self._api.change("DELETE", f"/v1/{found.kind.noun}/{found.id}", etag=etag)
        self._say(f"deleted  {found.kind.word} {found.name}")


def _changed(mine: Wanted, found: Found) -> set[str]:
    """The fields of a PATCH: those that differ; with `auth: url` a trigger gets a new URL each time. Values that are sent along
    go with the URL: the registry sends none to another host that was not written for it."""
    differing = {name for name, value in mine.content.items() if value != found.content[name]}
    if mine.kind is TRIGGER:
        differing |= {"auth", "token"} if differing & {"auth", "token"} else set()
        return {IN_REQUESTS.get(name, name) for name in differing}
    return differing | {name for name in ("url", "headers", "params") if mine.content.get(name)}
