"""Marks the calls that need a key in the API's description."""

from typing import Any

from fastapi import FastAPI

from services.gateway.access.rights import needs_key

_SCHEME = "apiKey"


def describe_keys(app: FastAPI) -> None:
    """Adds the security scheme to the OpenAPI schema of routes that ask for a key."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        schema = plain()
        scheme = {"type": "http", "scheme": "bearer", "description": "A key of `xunwen keys`"}
        schema.setdefault("components", {})["securitySchemes"] = {_SCHEME: scheme}
        for path, methods in schema["paths"].items():
            if needs_key(path):
                for operation in methods.values():
                    operation["security"] = [{_SCHEME: []}]
        return schema

    app.openapi = described  # type: ignore[method-assign]
