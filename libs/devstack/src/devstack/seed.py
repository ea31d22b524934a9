"""What `switchhook dev` puts into a new stack, once, through the HTTP API: a project, a token, a web chat bot, flows."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from devstack.errors import StackError
from devstack.paths import ROOT

FLOWS = ROOT / "examples" / "flows"
PROJECT = "Example"
SCOPES = (
    "admin",
    "flows:execute",
    "bots:converse",
    "data:read",
    "data:write",
    "agents:chat",
    "deliveries:read",
    "deliveries:write",
)


@dataclass(frozen=True)
class Seed:
    """What was made; kept in a file beside the data, since a token is shown only once."""

    project_id: str
    token: str
    bot_id: str
    channel_id: str
    trigger_id: str
    trigger_body: dict[str, Any]

    def examples(self, base_url: str) -> str:
        """Three command lines that show it at work."""
        authorised = f"-H 'authorization: Bearer {self.token}'"
        json_body = "-H 'content-type: application/json'"
        return "\n".join(
            (
                f'  curl -X POST {base_url}/v1/web/{self.channel_id}/sessions {json_body} -d \'{{"visitor_id": "me"}}\'',
                f"  curl -X POST {base_url}/v1/run/{self.trigger_id} {authorised} {json_body} "
                f"-d '{json.dumps(self.trigger_body)}'",
                f"  curl {base_url}/v1/deliveries {authorised}",
            )
        )


async def plant(base_url: str, admin_token: str, file: Path) -> Seed:
    """Make what a stack is tried with, unless `file` says that it was made before."""
    kept = read_seed(file)
    if kept is not None:
        return kept
    async with aiohttp.ClientSession(base_url) as session:
        seed = await plant_all(Api(session, admin_token), read_flows())
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


class Api:
    """POSTs to the registry; an answer that is not 2xx is a StackError with the problem's own words."""

    def __init__(self, session: aiohttp.ClientSession, token: str) -> None:
        self._session, self._token = session, token

    def as_holder_of(self, token: str) -> "Api":
        return Api(self._session, token)

    async def post(self, path: str, body: dict[str, Any], **query: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._token}"}
        async with self._session.post(path, json=body, params=query, headers=headers) as response:
            text = await response.text()
            if response.status // 100 != 2:
                raise StackError(f"The examples could not be loaded: POST {path} answered {response.status}: {text}")
            made: dict[str, Any] = json.loads(text) if text else {}
            return made


async def plant_all(operator: Api, documents: Mapping[str, str]) -> Seed:
    project = await operator.post("/v1/projects", {"name": PROJECT})
    token = await operator.post("/v1/tokens", {"name": "dev", "scopes": list(SCOPES)}, project=project["id"])
    api = operator.as_holder_of(token["token"])
    bot = await api.post("/v1/bots", {"name": "Example bot"})
    channel = await api.post(
        "/v1/channels", {"bot": bot["id"], "type": "webchat", "name": "Web chat", "credentials": {}}
    )
    flows = {name: await plant_flow(api, bot["id"], document) for name, document in documents.items()}
    trigger = await api.post(
        "/v1/triggers",
        {
            "flow": flows["welcome"],
            "entry": "order_paid",
            "token_id": token["id"],
            "channel_id": channel["id"],
            "auth": "token",
        },
    )
    return Seed(
        project_id=project["id"],
        token=token["token"],
        bot_id=bot["id"],
        channel_id=channel["id"],
        trigger_id=trigger["id"],
        trigger_body={"peer_id": "me", "variables": {"order_id": "1001"}},
    )


async def plant_flow(api: Api, bot_id: str, document: str) -> str:
    """Load and publish one flow document; its id."""
    flow = await api.post("/v1/flows", {"bot": bot_id, "document": document})
    await api.post(f"/v1/flows/{flow['id']}/publish", {})
    made: str = flow["id"]
    return made
