"""What `switchhook dev` puts into a new stack, once, through the HTTP API: a project, a token, a web chat bot, flows."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from devstack.paths import ROOT
from operations.api import Api

EXAMPLES = ROOT / "examples"
TRIED = (
    """curl "$BASE/v1/talk/$BOT/sessions/$SESSION/messages" -H "authorization: Bearer $TOKEN" -H 'prefer: wait=5' \
-d '{"client_message_id": "1", "type": "text", "text": "/start"}'""",
    """curl "$BASE/v1/run/$TRIGGER" -H "authorization: Bearer $TOKEN" -H 'prefer: wait=5' \
-d '{"peer_id": "me", "variables": {"order_id": "1001"}}'""",
    """curl "$BASE/v1/web/$CHANNEL/sessions" -d '{}'""",
)
"""Lines of docs/tutorial.md, as they stand there."""
PERSON = "me"
PROJECT = "Example"
BOTS = {"Example bot": ("welcome", "feedback"), "Lectures": ("reserve-lecture",)}
"""Bot -> its flows. Two flows of one bot cannot answer the same command."""
TRIED_BOT, TRIED_FLOW, ENTRY = "Example bot", "welcome", "order_paid"
SCOPES = [
    "admin",
    "flows:execute",
    "bots:converse",
    "data:read",
    "data:write",
    "agents:chat",
    "deliveries:read",
    "deliveries:write",
]


@dataclass(frozen=True)
class Seed:
    """What was made; kept in a file beside the data, since a token is shown only once."""

    project_id: str
    token: str
    bot_id: str
    channel_id: str
    trigger_id: str
    session_id: str
    """A chat with the bot that the person PERSON has open, for the Bot API."""
    signing_secret: str = ""
    """Signs what flow steps post; empty in a file of an earlier release."""

    def variables(self, base_url: str) -> dict[str, str]:
        """What the lines of docs/tutorial.md are filled in with."""
        return {
            "BASE": base_url,
            "TOKEN": self.token,
            "BOT": self.bot_id,
            "SESSION": self.session_id,
            "TRIGGER": self.trigger_id,
            "CHANNEL": self.channel_id,
        }

    def examples(self, base_url: str) -> str:
        """A line that sets the variables, and three to try: write to the bot, have a shop start a scenario, open a web chat."""
        export = "export " + " ".join(f"{name}='{value}'" for name, value in self.variables(base_url).items())
        return "\n".join(f"  {line}" for line in (export, *TRIED))


async def plant(base_url: str, admin_token: str, file: Path) -> Seed:
    """Make project, token, bots and flows, unless `file` says that they were made before."""
    kept = read_seed(file)
    if kept is not None:
        return kept
    seed = await plant_all(base_url, admin_token, read_examples())
    write_seed(file, seed)
    return seed


def read_seed(file: Path) -> Seed | None:
    """What was made before; None when nothing was."""
    return Seed(**json.loads(file.read_text())) if file.exists() else None


def write_seed(file: Path, seed: Seed) -> None:
    """Keep it, readable by its owner only: it has a token."""
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(seed), indent=2))


@dataclass(frozen=True)
class Examples:
    """The files in `examples`: flows are name -> document (YAML), API calls are as the API takes them."""

    flows: dict[str, str]
    api_calls: list[dict[str, Any]]


def read_examples(folder: Path = EXAMPLES) -> Examples:
    """The examples of the checkout."""
    flows = {file.stem: file.read_text() for file in sorted((folder / "flows").glob("*.yaml"))}
    api_calls = [json.loads(file.read_text()) for file in sorted((folder / "api-calls").glob("*.json"))]
    return Examples(flows, api_calls)


async def plant_all(base_url: str, admin_token: str, examples: Examples) -> Seed:
    """A project, its token, its API calls and its bots."""
    async with Api(base_url, admin_token) as operator:
        project = await operator.post("/v1/projects", {"name": PROJECT})
    async with Api(base_url, admin_token, project["id"]) as operator:
        token = await operator.post("/v1/tokens", {"name": "dev", "scopes": SCOPES})
    async with Api(base_url, token["token"]) as api:
        for call in examples.api_calls:
            await api.post("/v1/api-calls", call)
        bots = {name: await plant_bot(api, name, examples, flows) for name, flows in BOTS.items()}
        bot = bots[TRIED_BOT]
        trigger = await api.post(
            "/v1/triggers",
            {"flow": bot.flow_ids[TRIED_FLOW], "entry": ENTRY, "token_id": token["id"], "channel_id": bot.http_id},
        )
        session = await api.post(f"/v1/talk/{bot.id}/sessions", {"person": {"peer_id": PERSON}})
    return Seed(
        project_id=project["id"],
        token=token["token"],
        bot_id=bot.id,
        channel_id=bot.web_chat_id,
        trigger_id=trigger["id"],
        session_id=session["session_id"],
        signing_secret=project["signing_secret"],
    )


@dataclass(frozen=True)
class PlantedBot:
    """A bot with its channels and published flows (name of the file -> id)."""

    id: str
    web_chat_id: str
    http_id: str
    flow_ids: dict[str, str]


async def plant_bot(api: Api, name: str, examples: Examples, flows: Sequence[str]) -> PlantedBot:
    """A bot with a channel of web chat, one for programs, and these flows published."""
    bot = (await api.post("/v1/bots", {"name": name}))["id"]
    web_chat = await api.post("/v1/channels", {"bot": bot, "type": "webchat", "name": "Web chat"})
    http = await api.post("/v1/channels", {"bot": bot, "type": "http", "name": "Bot API"})
    published = {flow: (await api.publish_flow(bot, examples.flows[flow]))["id"] for flow in flows}
    return PlantedBot(bot, web_chat["id"], http["id"], published)
