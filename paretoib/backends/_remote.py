"""The backend for a service, over HTTP."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

from paretoib.backends._base import (
    NO_TAGS,
    Backend,
    SweepReference,
    ignore_progress,
    with_conditions,
)
from paretoib.backends._http import Http
from paretoib.backends._sse import events
from paretoib.documents import Document
from paretoib.errors import NotFoundError, ServiceError, SpecError
from paretoib.records import (
    Front,
    Importance,
    LogPart,
    ModelFiles,
    OnProgress,
    SweepState,
    TrialRecord,
)

if TYPE_CHECKING:
    from paretoib.specs import Additions, SweepSpec

_PAGE = 200  # sweeps per request; the service returns at most this many
_TRIALS_PAGE = 1000  # trials per request; the service returns at most this many

D = TypeVar("D", bound=Document)


class RemoteBackend(Backend):
    """The sweeps of the service at a URL; the token comes from the settings.

    Raises `ServiceError` for a URL that cannot be used, and for a service that cannot be reached or
    that refuses a request.
    """

    def __init__(self, url: str) -> None:
        self._http = Http(url)
        self.starting = f"sending the sweep to {url}"

    def find(self, sweep: SweepReference) -> SweepState:
        if not isinstance(sweep, str):
            return self._state(self._http.request("GET", f"/sweeps/{sweep.id}"))
        response = self._http.request("GET", "/sweeps", params={"sweep": sweep})
        return self._state(response["sweeps"][0])

    def list(
        self, *, archived: bool = False, tags: Mapping[str, str | None] = NO_TAGS
    ) -> Sequence[SweepState]:
        tag = [name if value is None else f"{name}={value}" for name, value in tags.items()]
        states: dict[str, SweepState] = {}
        offset, total = 0, 1
        while offset < total:
            page = {"offset": offset, "limit": _PAGE, "archived": archived, "tag": tag}
            response = self._http.request("GET", "/sweeps", params=page)
            # A sweep that is submitted meanwhile shifts the pages, so that some sweeps come twice.
            states |= {sweep["id"]: self._state(sweep) for sweep in response["sweeps"]}
            offset, total = offset + _PAGE, response["total"]
        return [*states.values()]

    def front(self, sweep: SweepReference, *, where: Sequence[str] = ()) -> Front:
        document = self._http.request("GET", f"/sweeps/{self._id(sweep)}/front")
        return with_conditions(self._parse(Front, document), where)

    def importance(self, sweep: SweepReference) -> Importance:
        # The service computes it, because this process should not load Optuna.
        response = self._http.request("GET", f"/sweeps/{self._id(sweep)}/importance")
        return self._parse(Importance, response)

    def trials(self, sweep: SweepReference) -> Sequence[TrialRecord]:
        path = f"/sweeps/{self._id(sweep)}/trials"
        records: list[TrialRecord] = []
        total = 1
        while len(records) < total:
            page = {"offset": len(records), "limit": _TRIALS_PAGE}
            response = self._http.request("GET", path, params=page)
            records += [self._parse(TrialRecord, trial) for trial in response["trials"]]
            total = response["total"]
        return records

    def models(self, sweep: SweepReference) -> ModelFiles:
        path = f"/sweeps/{self._id(sweep)}/models"
        return self._parse(ModelFiles, self._http.request("GET", path))

    def open_model(self, sweep: SweepReference, trial: str) -> IO[bytes]:
        path = f"/sweeps/{self._id(sweep)}/trials/{quote(trial)}/model"
        return BytesIO(self._http.response("GET", path).content)

    def history(self, sweep: SweepReference, trial: str) -> Mapping[str, Sequence[float | None]]:
        response = self._http.request("GET", f"/sweeps/{self._id(sweep)}/trials/{trial}")
        history: Mapping[str, Sequence[float | None]] = response["history"]
        return history

    def logs(self, sweep: SweepReference, *, after: int | None = None, tail: int = 1000) -> LogPart:
        params = {"tail": tail} if after is None else {"after": after}
        response = self._http.response("GET", f"/sweeps/{self._id(sweep)}/logs", params=params)
        end = response.headers.get("log-end", "")
        if not end.isdecimal():
            raise ServiceError(f"{self._http.url} should send the header Log-End; found none")
        return LogPart(text=response.text, end=int(end))

    def page(self, sweep: SweepState) -> str:
        return f"{self._http.url}/sweeps/{sweep.id}"

    def catalogue(self, kind: str) -> Mapping[str, Mapping[str, Any]]:
        entries: Mapping[str, Mapping[str, Any]] = self._http.request("GET", f"/{kind}")[kind]
        return entries

    def submit(self, spec: "SweepSpec") -> SweepState:
        # Retries send the same key, so that they create no second sweep.
        key = {"Idempotency-Key": uuid4().hex}
        try:
            response = self._http.request("POST", "/sweeps", json=spec.document, headers=key)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "interrupted: `paretoib list` shows whether the sweep was submitted"
            ) from None
        return self._state(response)

    def run(self, spec: "SweepSpec", *, on_progress: OnProgress = ignore_progress) -> Front | None:
        state = self.submit(spec)
        on_progress(state)
        return self.watch(state, on_progress=on_progress)

    def resume(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        if (state := self.find(sweep)).complete:
            on_progress(state)
            return self.front(state)
        state = self._state(self._http.request("POST", f"/sweeps/{state.id}/resume"))
        on_progress(state)
        return self.watch(state, on_progress=on_progress)

    def extend(
        self,
        sweep: SweepReference,
        additions: "Additions",
        *,
        on_progress: OnProgress = ignore_progress,
    ) -> Front | None:
        body = {name: value for name, value in additions.document.items() if value}
        path = f"/sweeps/{self._id(sweep)}/extend"
        state = self._state(self._http.request("POST", path, json=body))
        on_progress(state)
        return self.watch(state, on_progress=on_progress)

    def watch(
        self, sweep: SweepReference, *, on_progress: OnProgress = ignore_progress
    ) -> Front | None:
        """Follow a sweep to its end; reconnects after a lost connection.

        Raises `ServiceUnavailableError` if the service sends nothing for
        `PARETOIB_SERVER_PATIENCE` seconds.
        """
        state = sweep if isinstance(sweep, SweepState) else self.find(sweep)
        for event in events(self._http, f"/sweeps/{state.id}/events"):
            if event.name == "progress":
                state = self._state({**state.document, **event.data})
                on_progress(state)
            elif event.name == "end":
                # Read the state again: `progress` events have no reason.
                on_progress(self.find(state))
        with suppress(NotFoundError):
            return self.front(state)
        return None

    def cancel(self, sweep: SweepReference) -> None:
        self._http.request("DELETE", f"/sweeps/{self._id(sweep)}")

    def archive(self, sweep: SweepReference, *, undo: bool = False) -> SweepState:
        method = "DELETE" if undo else "POST"
        return self._state(self._http.request(method, f"/sweeps/{self._id(sweep)}/archive"))

    def note(self, sweep: SweepReference, text: str) -> SweepState:
        path = f"/sweeps/{self._id(sweep)}/note"
        return self._state(self._http.request("PUT", path, json={"note": text}))

    def tag(self, sweep: SweepReference, changes: Mapping[str, str | None]) -> SweepState:
        path = f"/sweeps/{self._id(sweep)}/tags"
        return self._state(self._http.request("PATCH", path, json=dict(changes)))

    def delete(self, sweep: SweepReference) -> None:
        self._http.request("POST", f"/sweeps/{self._id(sweep)}/delete")

    def restore(self, sweep: str) -> SweepState:
        return self._state(self._http.request("POST", f"/sweeps/{quote(sweep)}/restore"))

    def _id(self, sweep: SweepReference) -> str:
        return self.find(sweep).id if isinstance(sweep, str) else sweep.id

    def _state(self, document: Mapping[str, Any]) -> SweepState:
        return self._parse(SweepState, document)

    def _parse(self, kind: type[D], document: Mapping[str, Any]) -> D:
        try:
            return kind.from_document(document)
        except SpecError as error:
            raise ServiceError(
                f"{self._http.url} should run the same version of paretoib; its response is "
                f"invalid: {error}"
            ) from error
