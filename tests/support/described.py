"""Holds answers against the OpenAPI document of the service that gave them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from contracts.routes import ROUTES, Service
from servicekit.web.openapi import Operation, document


class Described:
    """The answers that a service's document promises."""

    def __init__(self, service: Service, operations: Mapping[str, Operation]) -> None:
        self._document = document(service, operations)
        self._rows = [row for row in ROUTES if row.service == service]
        # Literal paths before those with parameters: /v1/flows/check before /v1/flows/{id}.
        self._rows.sort(key=lambda row: row.path.count("{"))
        self._validator = cache(self._made)

    def check(self, method: str, path: str, status: int, body: Any, media_type: str) -> None:
        """Fails where the answer is not as described; what is no row, or streams, is not looked at."""
        row = next((row for row in self._rows if row.method == method and _matches(row.path, path)), None)
        if row is None:
            return
        answers = self._document["paths"][row.path][method.lower()]["responses"]
        described = answers.get(str(status)) or answers["default"]
        assert str(status) in answers or status >= 400, f"{row.name} answers {status}, which its document does not name"
        content: Sequence[str] = list(described.get("content", ()))
        if content and media_type:
            assert media_type.partition(";")[0] in content, f"{row.name} {status}: {media_type}"
        if content and body is not None:
            errors = [error.message for error in self._validator(row.path, method.lower(), status).iter_errors(body)]
            assert errors == [], f"{row.name} {status}: {body}"

    def _made(self, path: str, method: str, status: int) -> Draft202012Validator:
        answers = self._document["paths"][path][method]["responses"]
        content = next(iter((answers.get(str(status)) or answers["default"])["content"].values()))
        return Draft202012Validator({**content["schema"], "components": self._document["components"]})


def _matches(pattern: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path.partition("?")[0]) is not None
