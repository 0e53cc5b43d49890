"""The catalogue: `GET /methods`, `/datasets`, `/models`, `/searches`, `/presets`."""

from typing import Any

from fastapi import APIRouter

from paretoib.catalogue import catalogue
from service.problems import problem_responses

router = APIRouter(tags=["catalogue"], responses=problem_responses(400, 401, 403, 429))


# Coroutines need no thread, so these routes answer while the threads wait for MLflow or Ray.


@router.get("/methods", summary="Methods: an objective, a weighting and a search under one name")
async def methods() -> dict[str, Any]:
    """Each method's parts, and the JSON schemas of the fields of objective and weighting."""
    return {"schema": 1, "methods": catalogue("methods")}


@router.get("/datasets", summary="Data sets")
async def datasets() -> dict[str, Any]:
    """Each data set, and the JSON schemas of its fields."""
    return {"schema": 1, "datasets": catalogue("datasets")}


@router.get("/models", summary="Models")
async def models() -> dict[str, Any]:
    """Each model, and the JSON schemas of its fields."""
    return {"schema": 1, "models": catalogue("models")}


@router.get("/searches", summary="Searches: how the trials of a sweep are proposed")
async def searches() -> dict[str, Any]:
    """Each search. The `space` of a sweep says which fields the search varies."""
    return {"schema": 1, "searches": catalogue("searches")}


@router.get("/presets", summary="Presets: the protocols of tables and figures of the papers")
async def presets() -> dict[str, Any]:
    """Each preset's methods, data sets and values, and which values the paper does not give."""
    return {"schema": 1, "presets": catalogue("presets")}
