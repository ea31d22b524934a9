"""What `doctor` says of dead letters and held conversations where a service cannot tell."""

from __future__ import annotations

import httpx
import pytest

from operations.checks import waiting
from operations.checks.waiting import waiting_checks
from operations.errors import CommandError
from operations.installation import Installation


async def test_one_service_that_cannot_tell_hides_nothing_of_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def counted(api: object, path: str) -> int:
        if path.startswith("/v1/dlq"):
            raise CommandError("GET /v1/dlq was answered 503")
        raise httpx.ReadTimeout("")

    monkeypatch.setattr(waiting, "_count", counted)
    urls = {"registry": "http://127.0.0.1:1", "flow-engine": "http://127.0.0.1:2"}
    here = Installation("switchhook-ops", "say where", token="t", urls=urls)
    assert [(check.what, check.advice) async for check in waiting_checks(here)] == [
        ("dead letters could not be counted", "GET /v1/dlq was answered 503"),
        ("held conversations could not be counted", "flow-engine does not answer (ReadTimeout)"),
    ]
