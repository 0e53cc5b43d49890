"""`/sweeps`: submit, list, read, resume, extend, cancel, annotate and delete sweeps."""

from collections.abc import Iterator
from contextlib import suppress
from io import SEEK_END
from json import JSONDecodeError
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Header, Path, Query, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from paretoib.documents import RepeatedKeyError, load_json
from paretoib.errors import SpecError
from paretoib.records import Front, Importance, ModelFiles, Pick, PickRule, Status, SweepState
from paretoib.specs import Additions, SweepSpec
from paretoib.tracking import TAIL
from service.dependencies import (
    Controller,
    NamedSweep,
    Offset,
    Queries,
    Settings,
    SingleTrials,
    SweepById,
    SweepReference,
    Where,
)
from service.headers import SANDBOX_POLICY
from service.limits import limited_additions, limited_spec
from service.pages import sweep_page, wants_html
from service.problems import problem_responses
from service.rendering import FIGURE, IMAGES, TABLE_CONTENT, conditional_response, document_response
from service.schemas import Note, Sweeps, Trial, Trials

router = APIRouter(
    prefix="/sweeps", tags=["sweeps"], responses=problem_responses(400, 401, 403, 429, 500, 503)
)

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Chosen by the client: up to 200 printable ASCII characters without spaces. "
        "Repeating a request with the same key and "
        "sweep returns the original sweep.",
    ),
]
TrialKey = Annotated[
    str, Path(pattern="^[0-9a-f]{12,64}$", description="A trial's key.", examples=["0d1e2f3a4b5c"])
]
_BINARY = "application/octet-stream"
_CHUNK = 2**20  # bytes of a model that are read at a time
FrontFormat = Literal["json", "csv", "parquet", "html", "png", "pdf", "svg", "figure", "parallel"]
EXAMPLES: Any = {
    "β grid": {"value": {"method": "vib", "data": "digits", "trials": 16}},
    "adaptive weighting": {"value": {"method": "mib", "data": "digits", "seeds": [0, 1, 2]}},
    "protocol of a paper": {
        "value": {"method": "sfnn", "preset": "imb-fig1", "training": {"epochs": 20}}
    },
    "small grid": {
        "value": {
            "method": "vib",
            "name": "first",
            "model": {"name": "mlp", "hidden": [64], "latent": 8},
            "training": {"epochs": 10},
            "grid": {"beta": "1e-4:1:8"},
        }
    },
}

ADDITIONS: Any = {
    "more trials": {"value": {"trials": "+16"}},
    "further seeds": {"value": {"seeds": "+2"}},
    "further values": {"value": {"grid": {"beta": [0.3, 0.5]}}},
}

TAGS: Any = {"set and remove": {"value": {"project": "digits", "draft": None}}}


async def _refuse_repeated_keys(request: Request) -> None:
    """Raise `SpecError` for JSON with a repeated key; FastAPI would use its last value."""
    with suppress(JSONDecodeError, UnicodeDecodeError):  # FastAPI refuses these itself
        try:
            load_json(await request.body())
        except RepeatedKeyError as error:
            raise SpecError(f"a body should not repeat a key; found {error}") from error


def sweep_spec(
    document: Annotated[dict[str, Any], Body(openapi_examples=EXAMPLES)],
    settings: Settings,
    _: Annotated[None, Depends(_refuse_repeated_keys)],
) -> SweepSpec:
    """The sweep in the body, checked against the limits of the service."""
    return limited_spec(document, settings)


def sweep_additions(
    document: Annotated[dict[str, Any], Body(openapi_examples=ADDITIONS)],
    settings: Settings,
    _: Annotated[None, Depends(_refuse_repeated_keys)],
) -> Additions:
    """What the body adds to a sweep, checked against the limits of the service."""
    return limited_additions(document, settings)


@router.post(
    "",
    status_code=202,
    response_model=SweepState,
    responses=problem_responses(413, 422),
    summary="Submit a sweep",
)
async def submit(
    request: Request,
    spec: Annotated[SweepSpec, Depends(sweep_spec)],
    controller: Controller,
    key: Key = None,
) -> Response:
    """Stores the sweep and submits it to Ray. Missing fields take their defaults.

    The `Location` header is the path of the sweep.
    """
    return _accepted(await controller.queued(controller.submit, spec, request.state.client, key))


@router.get("", response_model=Sweeps, responses=problem_responses(404, 422), summary="List sweeps")
def sweeps(
    request: Request,
    queries: Queries,
    method: Annotated[str | None, Query(max_length=200)] = None,
    dataset: Annotated[str | None, Query(max_length=200)] = None,
    status: Status | None = None,
    name: Annotated[str | None, Query(max_length=200, description="a part of the name")] = None,
    sweep: Annotated[
        str | None,
        Query(max_length=200, description="an id, a unique prefix of an id, or a name"),
    ] = None,
    tag: Annotated[
        list[Annotated[str, Query(max_length=700)]] | None,
        Query(max_length=50, description="NAME or NAME=VALUE; may be repeated"),
    ] = None,
    archived: Annotated[bool, Query(description="also archived sweeps")] = False,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Response:
    """Newest first. `?sweep=` also finds names with a slash; `/sweeps/{sweep}` cannot find them."""
    matches = queries.filtered(name, method, dataset, status, sweep, tag or (), archived=archived)
    page = tuple(matches[offset : offset + limit])
    return document_response(
        request, Sweeps(sweeps=page, total=len(matches), offset=offset, limit=limit)
    )


@router.get(
    "/{sweep}",
    response_model=SweepState,
    responses={200: {"content": {"text/html": {}}}, **problem_responses(404, 422)},
    summary="Get a sweep",
)
def sweep(request: Request, state: NamedSweep, queries: Queries) -> Response:
    """Status, counts and spec as JSON; with `Accept: text/html` a page."""
    if wants_html(request):
        return sweep_page(request, state, queries)
    return document_response(request, state)


@router.post(
    "/{sweep}/resume",
    status_code=202,
    response_model=SweepState,
    responses=problem_responses(404, 409, 413, 422),
    summary="Resume a sweep",
)
async def resume(state: SweepById, controller: Controller) -> Response:
    """The sweep should be cancelled, interrupted or failed. Ended trials are not run again.

    If all trials have ended, the sweep is closed, and no job is submitted.
    """
    return _accepted(await controller.queued(controller.resume, state))


@router.post(
    "/{sweep}/extend",
    status_code=202,
    response_model=SweepState,
    responses=problem_responses(404, 409, 413, 422),
    summary="Extend a sweep",
)
async def extend(
    state: SweepById,
    additions: Annotated[Additions, Depends(sweep_additions)],
    controller: Controller,
) -> Response:
    """Adds trials, seeds or values to a sweep that has ended, and submits it to Ray.

    The body has the flags of `paretoib extend`. Nothing is trained twice.
    """
    return _accepted(await controller.queued(controller.extend, state, additions))


@router.delete(
    "/{sweep}",
    status_code=202,
    response_model=SweepState,
    responses=problem_responses(404, 409, 413, 422),
    summary="Cancel a sweep",
)
async def cancel(state: SweepById, controller: Controller) -> Response:
    """The sweep is `cancelled` within a minute and can be resumed. Its ended trials are kept."""
    return _accepted(await controller.queued(controller.cancel, state))


@router.put(
    "/{sweep}/note",
    response_model=SweepState,
    responses=problem_responses(404, 413, 422),
    summary="Write the note of a sweep",
)
async def note(state: SweepById, note: Note, controller: Controller) -> Response:
    """Replaces the note, which MLflow's UI shows as the description of the sweep's run."""
    return _changed(await controller.queued(controller.note, state, note.note))


@router.patch(
    "/{sweep}/tags",
    response_model=SweepState,
    responses=problem_responses(404, 413, 422),
    summary="Set and remove tags of a sweep",
)
async def tags(
    state: SweepById,
    changes: Annotated[dict[str, str | None], Body(openapi_examples=TAGS)],
    controller: Controller,
    _: Annotated[None, Depends(_refuse_repeated_keys)],
) -> Response:
    """Sets the tags in the body; null removes a tag. Other tags stay as they are."""
    return _changed(await controller.queued(controller.tag, state, changes))


@router.post(
    "/{sweep}/archive",
    response_model=SweepState,
    responses=problem_responses(404, 413, 422),
    summary="Archive a sweep",
)
async def archive(state: SweepById, controller: Controller) -> Response:
    """The list of sweeps leaves the sweep out, unless `archived=true`."""
    return _changed(await controller.queued(controller.archive, state, True))


@router.delete(
    "/{sweep}/archive",
    response_model=SweepState,
    responses=problem_responses(404, 413, 422),
    summary="List an archived sweep again",
)
async def unarchive(state: SweepById, controller: Controller) -> Response:
    """Undoes `POST /sweeps/{sweep}/archive`."""
    return _changed(await controller.queued(controller.archive, state, False))


@router.post(
    "/{sweep}/delete",
    response_model=SweepState,
    responses=problem_responses(404, 409, 413, 422),
    summary="Delete a sweep",
)
async def delete(state: SweepById, controller: Controller) -> Response:
    """Deletes the sweep with its trials. A running sweep is refused.

    `POST /sweeps/{sweep}/restore` undoes it, until `mlflow gc` removes the sweep for good.
    """
    return _changed(await controller.queued(controller.delete, state))


@router.post(
    "/{sweep}/restore",
    response_model=SweepState,
    responses=problem_responses(404, 413, 422),
    summary="Restore a deleted sweep",
)
async def restore(sweep: SweepReference, controller: Controller) -> Response:
    """Undoes `POST /sweeps/{sweep}/delete`."""
    return _changed(await controller.queued(controller.restore, sweep))


@router.get(
    "/{sweep}/trials",
    response_model=Trials,
    responses=problem_responses(404, 422),
    summary="List the trials of a sweep",
)
def trials(
    request: Request,
    state: NamedSweep,
    queries: Queries,
    offset: Offset = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Ended trials, in the order in which they ended, without their histories."""
    records = queries.snapshot(state).records
    page = records[offset : offset + limit]
    return document_response(
        request, Trials(trials=page, total=len(records), offset=offset, limit=limit)
    )


@router.get(
    "/{sweep}/trials/{trial}",
    response_model=Trial,
    responses=problem_responses(404, 422),
    summary="Get a trial with its history",
)
def trial(request: Request, state: NamedSweep, queries: Queries, trial: TrialKey) -> Response:
    """`{trial}` is a trial's key, or its first 12 or more digits. Hover texts show 12 digits."""
    return document_response(request, queries.trial(state, trial))


@router.get(
    "/{sweep}/trials/{trial}/model",
    response_class=StreamingResponse,
    responses={200: {"content": {_BINARY: {}}}, **problem_responses(404, 422)},
    summary="Download the model of a trial",
)
def model(state: NamedSweep, queries: Queries, trial: TrialKey) -> Response:
    """The trial's model file (safetensors), which `paretoib.load_model` reads.

    404 with the reason if the model is not kept.
    """
    key, file = queries.open_model(state, trial)
    size = file.seek(0, SEEK_END)
    file.seek(0)
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{key}.safetensors"',
    }
    return StreamingResponse(_chunks(file), media_type=_BINARY, headers=headers)


@router.get(
    "/{sweep}/models",
    response_model=ModelFiles,
    responses=problem_responses(404, 422),
    summary="List the models of a sweep",
)
def models(request: Request, state: NamedSweep, queries: Queries) -> Response:
    """The model files of the finished trials. For a file that is not kept, `missing` says why."""
    return document_response(request, queries.models(state))


@router.get(
    "/{sweep}/front",
    response_model=Front,
    responses={
        200: {"content": {**TABLE_CONTENT, "text/html": {}, **IMAGES, FIGURE: {}}},
        **problem_responses(404, 422),
    },
    summary="Get the front of a sweep",
)
def front(
    request: Request,
    state: NamedSweep,
    queries: Queries,
    where: Where = [],  # noqa: B006  (FastAPI copies it)
    trials: SingleTrials = False,
    format: Annotated[
        FrontFormat,
        Query(
            description="`figure`: the JSON of the plotly figure that `html` shows; `parallel`: "
            "the JSON of the parallel coordinates of all trials."
        ),
    ] = "json",
) -> Response:
    """All ended trials and settings, with a mark for those on the front.

    `json` is the document of `paretoib front --json`. `csv` and `parquet` have a row for each
    setting, or for each trial if no setting has two seeds.
    """
    headers = {"Content-Security-Policy": SANDBOX_POLICY} if format in ("html", "svg") else {}
    rendered = queries.front(state, format, trials=trials, where=where)
    return conditional_response(request, rendered, headers)


@router.get(
    "/{sweep}/pick",
    response_model=Pick,
    responses=problem_responses(404, 422),
    summary="Choose one setting",
)
def pick(
    request: Request,
    state: NamedSweep,
    queries: Queries,
    max_rate: Annotated[
        float | None,
        Query(allow_inf_nan=False, description="the fewest lost bits at this rate (bits) or less"),
    ] = None,
    min_accuracy: Annotated[
        float | None,
        Query(
            allow_inf_nan=False, description="the lowest rate with this accuracy (0 to 1) or more"
        ),
    ] = None,
    knee: Annotated[bool, Query(description="the knee of the front")] = False,
    prefer: Annotated[
        float | None,
        Query(
            allow_inf_nan=False,
            description="this weight (0 to 1) for few lost bits, and the rest for a low rate",
        ),
    ] = None,
    also: Annotated[
        list[Annotated[str, Query(min_length=1, max_length=200)]],
        Query(max_length=20, description="Choose from this sweep too. May be repeated."),
    ] = [],  # noqa: B006  (FastAPI copies it)
    where: Where = [],  # noqa: B006
) -> Response:
    """Chosen by means over seeds on the validation split, and reported on the test split.

    Exactly one of `max_rate`, `min_accuracy`, `knee` and `prefer` should be given. Measures in
    `where` are those of the validation split.
    """
    rule = PickRule.of(max_rate=max_rate, min_accuracy=min_accuracy, knee=knee, prefer=prefer)
    states = [state, *map(queries.find, also)]
    return document_response(request, queries.pick(states, rule, where))


@router.get(
    "/{sweep}/importance",
    response_model=Importance,
    responses=problem_responses(404, 422),
    summary="Get the importance of the fields",
)
def importance(request: Request, state: NamedSweep, queries: Queries) -> Response:
    """Which of the varied fields mattered for which measure; `paretoib importance --json`."""
    return document_response(request, queries.importance(state))


@router.get(
    "/{sweep}/logs",
    response_class=PlainTextResponse,
    responses=problem_responses(404, 422),
    summary="Get the log of a sweep",
)
async def logs(
    state: NamedSweep,
    controller: Controller,
    tail: Annotated[int, Query(ge=1, le=10_000, description="number of lines")] = TAIL,
    after: Annotated[
        int | None,
        Query(ge=0, le=2**53, description="instead of `tail`: the text after this byte"),
    ] = None,
) -> Response:
    """The last lines of the output of the sweep's jobs, as text of at most 256 KiB.

    The header `Log-End` is the `after` of the next request.
    """
    part = await controller.queued(controller.log, state, after, tail)
    return PlainTextResponse(part.text, headers={"Log-End": str(part.end)})


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _changed(state: SweepState) -> Response:
    return Response(state.to_json(), media_type="application/json")


def _accepted(state: SweepState) -> Response:
    return Response(
        state.to_json(),
        status_code=202,
        media_type="application/json",
        headers={"Location": f"/sweeps/{state.id}"},
    )
