"""Keeps a CRM's contacts as the bots know them: each event about a person becomes a PUT of that person.

PROJECT: the project's id. CRM_URL: where contacts are put, `<CRM_URL>/contacts/<id>`. Kafka by the settings SWITCHHOOK_KAFKA….
"""

import asyncio
import logging
import os

import httpx
from faststream import FastStream

from switchhook_sdk import CloudEvent, Switchhook, data

switchhook = Switchhook.from_environment(project=os.environ["PROJECT"], group="crm-sync")
crm = httpx.AsyncClient(base_url=os.environ["CRM_URL"], timeout=10)
app = FastStream(switchhook.broker, after_shutdown=[crm.aclose])
log = logging.getLogger("crm_sync")


@switchhook.events("contact.created", "contact.updated")
async def sync(event: CloudEvent[data.EventData]) -> None:
    """A PUT of the whole contact can be repeated. What the CRM refuses for good is logged; anything else is tried again."""
    contact = event.data.contact
    if contact is None:
        return
    body = contact.model_dump(mode="json", exclude_none=True) | {"as_of": event.time.isoformat()}
    answer = await crm.put(f"/contacts/{contact.id}", json=body, headers={"idempotency-key": event.id})
    if answer.is_client_error and answer.status_code not in (408, 409, 425, 429):
        log.error("the CRM refused contact %s with %s", contact.id, answer.status_code)
    else:
        answer.raise_for_status()


if __name__ == "__main__":
    asyncio.run(app.run())
