"""The story: a shop starts a scenario, the scenario talks, calls and reports. Told by `demo`, checked by the e2e tests.

Every chapter asserts what came out of it, and narrates what was sent and received.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from standardwebhooks import Webhook

from contracts import commands, events
from operations.api import Api
from servicekit.observability.traceparent import new_traceparent
from support.fake_telegram import FakeTelegram
from support.kafka_client import consume_until, produce_command
from support.reached import Reached
from support.receiver import Receiver, Request
from support.waiting import eventually

FLOW = Path(__file__).parents[2] / "examples" / "flows" / "reserve-lecture.yaml"
ANSWER = Path(__file__).parents[1] / "samples" / "named_webhook_response.json"
PERSON = 104117781
Narrate = Callable[[str], None]
Blow = Callable[[], Awaitable[None]]
PATIENCE_SECONDS = 60.0


async def no_blow() -> None:
    """Nothing is done to the stack."""


async def begin_trace(request: httpx.Request) -> None:
    request.headers["traceparent"] = new_traceparent(sampled=True).text()


@dataclass(slots=True)
class Setting:
    """What the shop and the bot author made before the story begins."""

    project: str
    bot: str
    channel: dict[str, Any]
    flow: dict[str, Any]
    trigger: dict[str, Any]
    shop_token: str
    endpoint: dict[str, Any]


class Story:
    """Chapters in order; each stands on those before it."""

    def __init__(
        self,
        place: Reached,
        telegram: FakeTelegram,
        receiver: Receiver,
        narrate: Narrate,
        blow: Blow = no_blow,
        *,
        traced: bool = False,
    ) -> None:
        """`blow` is called whenever something of a conversation was accepted: it may kill what it likes.

        `traced`: each request begins a trace of its own, and says that it is sampled.
        """
        self.place, self._telegram, self._receiver, self._narrate = place, telegram, receiver, narrate
        self._blow = blow
        hooks = {"request": [begin_trace]} if traced else {}
        self._http = httpx.AsyncClient(
            base_url=place.base_url, timeout=30, trust_env=False, event_hooks=hooks, verify=place.tls
        )
        self._updates = 0
        self.setting: Setting

    async def tell(self) -> None:
        """All of it. AssertionError in the chapter whose outcome is not what it should be."""
        try:
            for chapter in self.chapters():
                self._narrate(f"\n— {(chapter.__doc__ or '').strip()}")
                await chapter()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Let go of its connections, which `tell` does by itself."""
        await self._http.aclose()

    def chapters(self) -> list[Callable[[], Any]]:
        return [
            self.the_author_sets_up,
            self.the_shop_is_refused,
            self.the_person_reserves,
            self.the_webhooks_arrive,
            self.the_shop_starts_the_flow,
            self.the_shop_waits_for_the_answer,
            self.a_program_does_the_same_over_kafka,
            self.generated_urls_run_commands,
            self.the_receiver_fails_twice,
            self.the_token_is_deleted,
        ]

    async def the_author_sets_up(self) -> None:
        """The bot author makes a project, a bot on Telegram, an API call, a flow, a trigger and an endpoint."""
        self._receiver.answer("/api/seats", 200, json.loads(ANSWER.read_text()))
        async with self._api() as operator:
            project = (await operator.post("/v1/projects", {"name": "Conference"}))["id"]
        async with self._api(project) as api:
            bot = (await api.post("/v1/bots", {"name": "Conference"}))["id"]
            channel = await api.post("/v1/channels", self._telegram_channel(bot))
            await api.post(
                "/v1/api-calls", {"name": "seats-left", "method": "POST", "url": f"{self._receiver.url}/api/seats"}
            )
            flow = await api.publish_flow(bot, self._flow_document())
            trigger = await api.post("/v1/triggers", self._bought_trigger(flow["id"], channel["id"]))
            endpoint = await api.post(
                "/v1/endpoints",
                {
                    "url": f"{self._receiver.url}/signed",
                    "events": ["webhook.sent", "profile.pushed"],
                    "schedule": [1, 1, 1, 1],
                },
            )
        self.setting = Setting(project, bot, channel, flow, trigger, trigger["token"], endpoint)
        self._narrate(
            f"  flow {flow['slug']} is published; the shop copies {trigger['url']} and {trigger['body_example']}"
        )

    async def the_shop_is_refused(self) -> None:
        """The shop POSTs, without any special header, for a person who never talked to the bot."""
        answer = await self._post_trigger({"order_id": "A-76"})
        assert answer.status_code == 409, answer.text
        assert answer.json()["reason"] == "has-not-talked"
        assert self._telegram.messages == []

    async def the_person_reserves(self) -> None:
        """The person says /start, answers wrongly once, then rightly; the flow asks the API and uses its answer."""
        await self._say("/start")
        await self._hear(1)
        await self._say("whatever")
        await self._hear(2)
        await self._say("Webhooks")
        await eventually(lambda: any("Lecture 3 is yours" in text for text in self.heard()))
        await eventually(lambda: any("You are 31" in text for text in self.heard()))
        called = self._receiver.requests_to("/api/seats")
        assert len(called) == 1
        assert called[0].json()["lecture"] == "3"

    async def the_webhooks_arrive(self) -> None:
        """ "Send webhook" reaches the receiver in SendPulse's array format, and the endpoint signed to the standard."""
        sendpulse = (await self._received("/hooks/reserved"))[0].json()
        assert isinstance(sendpulse, list)
        assert sendpulse[0]["title"].startswith("Reserved")
        assert sendpulse[0]["service"] == "telegram"
        assert sendpulse[0]["contact"]["lecture"] == "3"
        signed = await self._received("/signed")
        kinds = {self._verified(request)["type"] for request in signed}
        await eventually(
            lambda: (
                {self._verified(r)["type"] for r in self._receiver.requests_to("/signed")}
                >= {"webhook.sent", "profile.pushed"}
            )
        )
        self._narrate(f"  {json.dumps(sendpulse[0])[:160]} …; signed: {sorted(kinds)}")

    async def the_shop_starts_the_flow(self) -> None:
        """The shop POSTs again: this time the bot writes first."""
        answer = await self._post_trigger({"order_id": "A-77"})
        assert answer.status_code == 202, answer.text
        assert answer.json()["status"] == "started"
        await self._hear_of("A-77")

    async def the_shop_waits_for_the_answer(self) -> None:
        """A caller who waits gets what the bot said."""
        answer = await self._post_trigger({"order_id": "A-78"}, {"prefer": "wait=10"})
        assert answer.status_code == 200, answer.text
        assert "A-78" in answer.json()["answer"]

    async def a_program_does_the_same_over_kafka(self) -> None:
        """A command by confluent-kafka with its default partitioner; the events are read back by it."""
        command = commands.Start.model_validate(
            {
                "bot": self.setting.bot,
                "person": {"channel_id": self.setting.channel["id"], "peer_id": str(PERSON)},
                "flow": self.setting.flow["slug"],
                "entry": "bought",
                "variables": {"order_id": "A-79"},
            }
        )
        kafka, named = self.place.kafka, self.place.named
        await produce_command(
            kafka, named(commands.TOPIC.name), command.encode(), self.setting.shop_token, "shop-79"
        )  # fmt: skip
        await self._hear_of("A-79")
        seen = await consume_until(
            kafka, named(events.TOPIC.name), "dev.switchhook.command.accepted", self.setting.project
        )
        self._narrate(f"  events read back: {', '.join(sorted(set(seen)))}")

    async def generated_urls_run_commands(self) -> None:
        """A generated URL is opened: its answer; one whose code raises: 503; one with redirect_to: 302."""
        plain = await self._http.get(await self._hook_url("/onWebhook", content={"order_id": "A-80"}))
        assert (plain.status_code, "A-80" in plain.json()["answer"]) == (200, True), plain.text
        raising = await self._http.get(await self._hook_url("/broken"))
        assert (raising.status_code, raising.json()["type"].rpartition("/")[2]) == (503, "command-failed"), raising.text
        away = await self._http.get(await self._hook_url("/onWebhook", redirect_to="https://shop.example.com/thanks"))
        assert (away.status_code, away.headers.get("location")) == (302, "https://shop.example.com/thanks"), away.text
        head = await self._http.head(await self._hook_url("/onWebhook"))
        assert head.status_code == 405

    async def the_receiver_fails_twice(self) -> None:
        """The receiver fails twice: the same webhook-id comes again, and is delivered."""
        self._receiver.forget()
        self._receiver.fail_first("/signed", 500, times=2)
        await self._say("/start")
        await self._say("Webhooks")
        await eventually(lambda: self._answers_by_id().get("delivered"), seconds=30)
        statuses = next(iter(self._answers_by_id()["delivered"]))
        assert statuses[:2] == (500, 500)
        self._narrate(f"  one webhook-id was answered {statuses}")

    async def the_token_is_deleted(self) -> None:
        """The token is deleted: the next POST is 401, within a second."""
        url = f"/v1/tokens/{self.setting.trigger['auth']['token_id']}"
        about = {"project": self.setting.project}
        operator = {"authorization": f"Bearer {self.place.admin_token}"}
        deleted = await self._patiently(lambda: self._http.delete(url, params=about, headers=operator))
        # 404: it came through before, without an answer.
        assert deleted.is_success or deleted.status_code == 404, deleted.text
        await eventually(self._is_refused, seconds=1)

    def _api(self, project: str | None = None) -> Api:
        """The operator's token, acting for a project if one is named."""
        return Api(self.place.base_url, self.place.admin_token, project, tls=self.place.tls)

    async def _is_refused(self) -> bool:
        """Each replica refuses it as soon as it has read the deletion, some milliseconds after the answer."""
        return (await self._post_trigger({"order_id": "A-81"})).status_code == 401

    def _telegram_channel(self, bot: str) -> dict[str, Any]:
        credentials = {"token": f"{self._telegram.bot_id}:demo"}
        return {
            "bot": bot,
            "type": "telegram",
            "name": "Telegram",
            "credentials": credentials,
            "api_base_url": self._telegram.url,
        }

    def _bought_trigger(self, flow: str, channel: str) -> dict[str, Any]:
        return {"flow": flow, "entry": "bought", "new_token": {"name": "shop"}, "channel_id": channel}

    def _flow_document(self) -> str:
        """The example flow, its webhook pointed to the local receiver; without its test cases, which the release before refuses."""
        document = FLOW.read_text().partition("\ntests:\n")[0]
        return document.replace("https://crm.example.com", self._receiver.url)

    async def _post_trigger(self, variables: dict[str, Any], headers: dict[str, str] | None = None) -> httpx.Response:
        """POST as a careful shop does: an unknown outcome is asked for again under the same key."""
        body = self.setting.trigger["body_example"] | {"peer_id": str(PERSON), "variables": variables}
        url, keyed = (
            f"/v1/run/{self.setting.trigger['id']}",
            {"idempotency-key": variables["order_id"]} | (headers or {}),
        )
        self._narrate(f"  POST {self.setting.trigger['url']} {variables} {headers or ''}")
        answer = await self._patiently(lambda: self._http.post(url, json=body, headers=keyed))
        self._narrate(f"  ← {answer.status_code} {answer.text[:300]}")
        if answer.is_success:
            await self._blow()
        return answer

    async def _patiently(self, ask: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
        """The first answer that is one: while something is being started again there may be none, a 502 or 503, or a 202
        that only says "accepted"."""

        async def asked() -> httpx.Response | None:
            try:
                answer = await ask()
            except httpx.TransportError:
                return None
            unknown = answer.status_code in (502, 503) and "command-failed" not in answer.text
            return None if unknown or '"status":"accepted"' in answer.text else answer

        last = await eventually(asked, seconds=PATIENCE_SECONDS, every=0.2)
        assert last is not None
        return last

    async def _say(self, text: str) -> None:
        """The person writes; Telegram tells ingress, again and again until it is taken."""
        self._updates += 1
        self._narrate(f"  person: {text}")
        update = self._telegram.text_update(self._updates, PERSON, text, first_name="Alex")
        headers = {"x-telegram-bot-api-secret-token": self.setting.channel["secret_token"]}
        url = self.setting.channel["inbound_url"]
        answer = await self._patiently(lambda: self._http.post(url, json=update, headers=headers))
        assert answer.status_code == 200, answer.text
        await self._blow()

    def heard(self) -> list[str]:
        """What the bot said to the person, in order."""
        return [message["text"] for message in self._telegram.messages]

    async def _hear(self, count: int) -> None:
        """Wait until the person has so many messages."""
        before = len(self.heard())
        await eventually(lambda: len(self.heard()) >= count, seconds=PATIENCE_SECONDS)
        for text in self.heard()[before:]:
            self._narrate(f"  bot: {text}")

    async def _hear_of(self, order: str) -> None:
        """Wait until the person was told of the order, once."""
        await eventually(lambda: any(order in text for text in self.heard()), seconds=PATIENCE_SECONDS)
        self._narrate(f"  bot: {next(text for text in self.heard() if order in text)}")

    async def _received(self, path: str) -> list[Request]:
        await eventually(lambda: self._receiver.requests_to(path))
        return self._receiver.requests_to(path)

    def _verified(self, request: Request) -> dict[str, Any]:
        """The body, once the standardwebhooks library has accepted its signature."""
        return dict(Webhook(self.setting.endpoint["secret"]).verify(request.body, request.headers))

    def _answers_by_id(self) -> dict[str, set[tuple[int, ...]]]:
        """Under `delivered`: the statuses of each webhook-id at /signed that failed first and came through."""
        by_id: dict[str, list[int]] = {}
        for request in self._receiver.requests_to("/signed"):
            by_id.setdefault(request.headers["webhook-id"], []).append(request.status)
        done = {tuple(statuses) for statuses in by_id.values() if len(statuses) > 1 and statuses[-1] < 300}
        return {"delivered": done}

    async def _hook_url(self, command: str, **more: Any) -> str:
        async with self._api(self.setting.project) as api:
            made = await api.post("/v1/hook-urls", {"bot": self.setting.bot, "command": command, **more})
        self._narrate(f"  generated URL for {command}: {made['url'][:70]}…")
        return str(made["url"])
