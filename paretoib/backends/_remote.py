"""What can be done with sweeps on a service: each call is a request or two."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from paretoib.backends._http import Http
from paretoib.backends._sse import events
from paretoib.documents import Document
from paretoib.errors import NotFoundError, ServiceError, SpecError
from paretoib.records import Front, Progress, SweepInfo

if TYPE_CHECKING:
    from paretoib.specs import SweepSpec

_PAGE = 200  # sweeps asked for at a time, the most that there are

D = TypeVar("D", bound=Document)
OnProgress = Callable[[Progress], None]


class RemoteBackend:
    """The sweeps of a service at `address`, asked with the token of the settings.

    Raises `ServiceError` in one plain line for a service that cannot be reached or that refuses,
    and for an address that is none; `NotFoundError` for a sweep that is not there.
    """

    def __init__(self, address: str) -> None:
        self._http = Http(address)

    def find(self, reference: str) -> SweepInfo:
        """The sweep with this id, name (of several: the latest), or unique id prefix."""
        found = self._http.ask("GET", "/sweeps", params={"sweep": reference})
        return self._info(found["sweeps"][0])

    def sweeps(self) -> list[SweepInfo]:
        """All sweeps, newest first."""
        found: dict[str, SweepInfo] = {}
        offset, total = 0, 1
        while offset < total:
            page = {"offset": offset, "limit": _PAGE}
            answer = self._http.ask("GET", "/sweeps", params=page)
            # One that came meanwhile has moved the others on, so that some come twice.
            found |= {sweep["id"]: self._info(sweep) for sweep in answer["sweeps"]}
            offset, total = offset + _PAGE, answer["total"]
        return list(found.values())

    def progress(self, info: SweepInfo) -> Progress:
        """How a sweep stands."""
        return self._progress(self._http.ask("GET", f"/sweeps/{info.id}"))

    def front(self, info: SweepInfo) -> Front:
        """A sweep's front as it is now; `NotFoundError` before its first trial has ended."""
        return self._read(Front, self._http.ask("GET", f"/sweeps/{info.id}/front"))

    def history(self, info: SweepInfo, trial: str) -> Mapping[str, Sequence[float | None]]:
        """One ended trial's history, by its key: a value an epoch under each name."""
        found = self._http.ask("GET", f"/sweeps/{info.id}/trials/{trial}")
        history: Mapping[str, Sequence[float | None]] = found["history"]
        return history

    def address(self, info: SweepInfo) -> str:
        """The service's own page of a sweep."""
        return f"{self._http.address}/sweeps/{info.id}"

    def catalogue(self, what: str) -> Mapping[str, Mapping[str, Any]]:
        """What there is of `methods`, `datasets`, `models` or `searches`, each with its fields."""
        rows = self._http.ask("GET", f"/{what}")[what]
        return {name: {**row, "fields": _fields(row["fields"])} for name, row in rows.items()}

    def submit(self, spec: "SweepSpec") -> SweepInfo:
        """A new sweep, which runs from now on."""
        return self._submitted(spec).sweep

    def run(self, spec: "SweepSpec", *, on_progress: OnProgress) -> Front | None:
        """Submit a sweep, and `watch` it."""
        now = self._submitted(spec)
        on_progress(now)
        return self.watch(now.sweep, on_progress=on_progress)

    def resume(self, info: SweepInfo, *, on_progress: OnProgress) -> Front | None:
        """Let the service go on with a sweep, and `watch` it."""
        now = self._progress(self._http.ask("POST", f"/sweeps/{info.id}/resume"))
        on_progress(now)
        return self.watch(now.sweep, on_progress=on_progress)

    def watch(self, info: SweepInfo, *, on_progress: OnProgress) -> Front | None:
        """Follow a sweep to its end; its front, or None where no trial had ended.

        A connection that is cut is made anew. `ServiceAwayError` when the service stays away.
        """
        for event in events(self._http, f"/sweeps/{info.id}/events"):
            if event.name == "progress":
                on_progress(self._progress({**info.document, **event.data}))
            elif event.name == "end":
                # Which says, too, why it ended.
                on_progress(self.progress(info))
        with suppress(NotFoundError):
            return self.front(info)
        return None

    def cancel(self, info: SweepInfo) -> None:
        """Ask a running sweep to end."""
        self._http.ask("DELETE", f"/sweeps/{info.id}")

    def _submitted(self, spec: "SweepSpec") -> Progress:
        # However often it is sent, with the same key the sweep is made once.
        key = {"Idempotency-Key": uuid4().hex}
        try:
            answer = self._http.ask("POST", "/sweeps", json=spec.document, headers=key)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "interrupted: `paretoib list` shows whether the sweep was submitted"
            ) from None
        return self._progress(answer)

    def _progress(self, sweep: Mapping[str, Any]) -> Progress:
        counts = sweep["trials"]
        return Progress(
            sweep=self._info(sweep),
            trials=counts["total"],
            finished=counts["finished"],
            stopped=counts["stopped"],
            failed=counts["failed"],
            hypervolume=sweep["hypervolume"] or 0.0,
            ended=sweep.get("reason"),
        )

    def _info(self, sweep: Mapping[str, Any]) -> SweepInfo:
        return self._read(SweepInfo, {name: sweep[name] for name in SweepInfo.model_fields})

    def _read(self, kind: type[D], document: Mapping[str, Any]) -> D:
        try:
            return kind.from_document(document)
        except SpecError as error:
            raise ServiceError(
                f"{self._http.address} should run the same version of paretoib; it sent {error}"
            ) from error


def _fields(schemas: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {"default": schema["default"], "description": schema["description"]}
        for name, schema in schemas.items()
    }
