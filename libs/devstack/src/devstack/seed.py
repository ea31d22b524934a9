"""What `switchhook dev` puts into a new stack, once, through the HTTP API: a project, a token, a web chat bot, flows."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from devstack.api import Api
from devstack.paths import ROOT

FLOWS = ROOT / "examples" / "flows"
PERSON = "me"
PROJECT, BOT = "Example", "Example bot"
TRIGGERED_FLOW, TRIGGER_ENTRY = "welcome", "order_paid"
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

    def examples(self, base_url: str) -> str:
        """Three command lines: write to the bot, have a shop start a scenario, open a web chat."""
        authorised = f"-H 'authorization: Bearer {self.token}'"
        said = {"client_message_id": "1", "type": "text", "text": "/start"}
        order = {"peer_id": PERSON, "variables": {"order_id": "1001"}}
        chat = f"{base_url}/v1/talk/{self.bot_id}/sessions/{self.session_id}/messages"
        return "\n".join(
            (
                f"  curl {chat} {authorised} -H 'prefer: wait=5' -d '{json.dumps(said)}'",
                f"  curl {base_url}/v1/run/{self.trigger_id} {authorised} -H 'prefer: wait=5' -d '{json.dumps(order)}'",
                f"  curl {base_url}/v1/web/{self.channel_id}/sessions -d '{{}}'",
            )
        )


async def plant(base_url: str, admin_token: str, file: Path) -> Seed:
    """Make what a stack is tried with, unless `file` says that it was made before."""
    kept = read_seed(file)
    if kept is not None:
        return kept
    seed = await plant_all(base_url, admin_token, read_flows())
    write_seed(file, seed)
    return seed


def read_seed(file: Path) -> Seed | None:
    return Seed(**json.loads(file.read_text())) if file.exists() else None


def write_seed(file: Path, seed: Seed) -> None:
    file.touch(mode=0o600)
    file.write_text(json.dumps(asdict(seed), indent=2))


def read_flows() -> dict[str, str]:
    """The example flows: name of the file without its ending -> document (YAML)."""
    return {file.stem: file.read_text() for file in sorted(FLOWS.glob("*.yaml"))}


async def plant_all(base_url: str, admin_token: str, documents: Mapping[str, str]) -> Seed:
    async with Api(base_url, admin_token) as operator:
        project = await operator.post("/v1/projects", {"name": PROJECT})
    async with Api(base_url, admin_token, project["id"]) as operator:
        token = await operator.post("/v1/tokens", {"name": "dev", "scopes": SCOPES})
    async with Api(base_url, token["token"]) as api:
        bot = await api.post("/v1/bots", {"name": BOT})
        web = await api.post("/v1/channels", {"bot": bot["id"], "type": "webchat", "name": "Web chat"})
        talk = await api.post("/v1/channels", {"bot": bot["id"], "type": "http", "name": "Bot API"})
        flows = {name: await api.publish_flow(bot["id"], document) for name, document in documents.items()}
        trigger = await api.post(
            "/v1/triggers",
            {
                "flow": flows[TRIGGERED_FLOW]["id"],
                "entry": TRIGGER_ENTRY,
                "token_id": token["id"],
                "channel_id": talk["id"],
            },
        )
        session = await api.post(f"/v1/talk/{bot['id']}/sessions", {"person": {"peer_id": PERSON}})
    return Seed(
        project_id=project["id"],
        token=token["token"],
        bot_id=bot["id"],
        channel_id=web["id"],
        trigger_id=trigger["id"],
        session_id=session["session_id"],
    )
