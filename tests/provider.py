"""The provider's own document of the API, where it is at hand."""

import json
from pathlib import Path
from typing import Any

import pytest

OPENAPI = Path(__file__).resolve().parents[2] / "shared" / "api" / "chat-completions.openapi.json"
with_the_document = pytest.mark.skipif(not OPENAPI.exists(), reason="the provider's document is not in the project")


def provider_schema(part: str) -> Any:
    """The schema of the `request` or of the `response`."""
    operation = json.loads(OPENAPI.read_text())["paths"]["/v1/chat/completions"]["post"]
    whole = operation["requestBody"] if part == "request" else operation["responses"]["200"]
    return as_json_schema(whole["content"]["application/json"]["schema"])


def as_json_schema(node: Any) -> Any:
    """A schema of OpenAPI 3.0 as one of JSON Schema.

    There, `nullable` adds null to the type it stands beside; an alternative that says nothing else means null alone.
    """
    if isinstance(node, list):
        return [as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {name: as_json_schema(value) for name, value in node.items() if name != "nullable"}
    if "anyOf" in plain:
        plain["anyOf"] = [part or {"type": "null"} for part in plain["anyOf"]]
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True and "type" in plain else plain
