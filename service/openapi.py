"""The OpenAPI schema: FastAPI's schema plus tokens, problems, the sweep's fields and examples."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from paretoib.catalogue import sweep_schema
from paretoib.specs import Additions
from service.auth import COOKIE, HEALTH_PATHS
from service.openapi_examples import add_examples
from service.problems import ProblemDocument


def openapi_schema(app: FastAPI) -> dict[str, Any]:
    """The schema, built at the first call. This function replaces `app.openapi`."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    components = schema["components"]
    sweep = sweep_schema("#/components/schemas/{model}")
    components["schemas"] |= sweep["$defs"]
    components["schemas"]["SweepSpec"] = {k: v for k, v in sweep.items() if k != "$defs"}
    components["schemas"]["Problem"] = ProblemDocument.model_json_schema()
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    body = schema["paths"]["/sweeps"]["post"]["requestBody"]["content"]["application/json"]
    body["schema"] = {"$ref": "#/components/schemas/SweepSpec"}
    additions = Additions.model_json_schema(ref_template="#/components/schemas/{model}")
    components["schemas"]["Additions"] = {k: v for k, v in additions.items() if k != "$defs"}
    body = schema["paths"]["/sweeps/{sweep}/extend"]["post"]["requestBody"]["content"]
    body["application/json"]["schema"] = {"$ref": "#/components/schemas/Additions"}
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
    }
    schema["security"] = [{"token": []}, {"cookie": []}]
    for path in HEALTH_PATHS:
        schema["paths"][path]["get"]["security"] = []
    add_examples(schema)
    app.openapi_schema = schema
    return schema
