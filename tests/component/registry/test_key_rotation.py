"""Another key-encryption key: what the ones before sealed is sealed with it, and they can be taken away."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
import pytest

from contracts.registry import Channel, Endpoint, Secret
from registry.values.resealed import Resealing
from registry.writing import idempotency
from servicekit.credentials.channel_credentials import open_credentials
from servicekit.credentials.sealing import KeyRing
from servicekit.credentials.sent_values import sent_values
from servicekit.web.problems import ProblemError
from support.registry_api import KEK, Project, answered

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEW = "k2:" + b64encode(bytes(range(32))).decode()
SEALED = "SELECT kind, id, version, data::text AS data FROM entity WHERE project_id = $1 AND data::text LIKE '%kek_id%'"
HOOK = {"url": "https://crm.example.com/a?key=in-the-query", "events": ["*"], "headers": {"X-Key": "in-a-header"}}


async def plant(project: Project) -> None:
    """One of each kind that has something sealed, the endpoint with two signing secrets."""
    project.registry.dispatcher.reply = lambda action: answered(status=200, body={"ok": True, "result": {"id": 7}})
    body = {"bot": await project.bot(), "type": "telegram", "credentials": {"token": "7:telegram"}}
    await project.post("/v1/channels", body)
    await project.post("/v1/secrets", {"name": "crm", "value": "a-secret"})
    await project.post("/v1/api-calls", {"name": "seats", "method": "GET", "url": HOOK["url"]})
    endpoint = await project.post("/v1/endpoints", HOOK)
    await project.post(f"/v1/endpoints/{endpoint['id']}/rotate-secret", expect=200)
    await project.post(f"/v1/projects/{project.id}/rotate-secret", expect=200)


async def kept(project: Project) -> dict[str, Any]:
    rows = await project.registry.database.pool.fetch(SEALED, project.id)
    return {row["kind"]: row for row in rows}


async def reseal_all(project: Project, ring: KeyRing) -> None:
    resealing = Resealing(ring)
    async with project.registry.database.pool.acquire() as connection:
        while await resealing.reseal_some(connection):
            pass


async def test_what_an_older_key_sealed_is_sealed_with_the_current_one_and_opens_without_the_older(
    project: Project,
) -> None:
    await plant(project)
    before = await kept(project)
    assert set(before) == {"project", "channel", "secret", "api_call", "endpoint"}
    await reseal_all(project, KeyRing(f"{NEW},{KEK}"))
    after, ring = await kept(project), KeyRing(NEW)
    assert all('"kek_id": "k1"' not in row["data"] for row in after.values())
    assert {kind: row["version"] - before[kind]["version"] for kind, row in after.items()} == dict.fromkeys(after, 1)
    endpoint = Endpoint.model_validate_json(after["endpoint"]["data"])
    assert sent_values(ring, endpoint)[:2] == (HOOK["url"], HOOK["headers"])
    place = {"project": project.id, "entity": endpoint.id, "field": "secrets"}
    assert [ring.open_sealed(one, **place)[:6] for one in endpoint.secrets] == [b"whsec_", b"whsec_"]
    assert open_credentials(ring, Channel.model_validate_json(after["channel"]["data"]))["token"] == "7:telegram"
    secret = Secret.model_validate_json(after["secret"]["data"])
    assert ring.open_sealed(secret.value, project=project.id, entity=secret.id, field="value") == b"a-secret"
    await reseal_all(project, KeyRing(f"{NEW},{KEK}"))
    assert {kind: row["version"] for kind, row in (await kept(project)).items()} == {
        kind: row["version"] for kind, row in after.items()
    }


async def test_what_no_key_opens_is_left_alone_and_keeps_nothing_else_from_it(project: Project) -> None:
    await plant(project)
    lost = {"id": (await kept(project))["secret"]["id"]}
    await project.registry.database.pool.execute(
        "UPDATE entity SET data = replace(data::text, '\"k1\"', '\"k0\"')::jsonb WHERE id = $1", lost["id"]
    )
    await reseal_all(project, KeyRing(f"{NEW},{KEK}"))
    after = await kept(project)
    ids = {kind: orjson.loads(row["data"]) for kind, row in after.items()}
    assert ids["secret"]["value"]["kek_id"] == "k0"
    assert ids["channel"]["credentials"]["kek_id"] == "k2"


async def test_an_answer_that_was_sealed_with_a_key_that_is_gone_is_repeated_to_nobody(project: Project) -> None:
    key = idempotency.key_of(project.id, "/v1/secrets", "once", b"{}", "somebody")
    async with project.registry.database.pool.acquire() as connection, connection.transaction():
        await idempotency.keep(connection, key, idempotency.Answer(201, {}, {}), KeyRing(KEK))
        with pytest.raises(ProblemError) as refused:
            await idempotency.recall(connection, key, KeyRing(NEW))
    assert refused.value.status == 422
