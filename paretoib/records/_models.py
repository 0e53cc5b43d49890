"""The model files that a store keeps."""

from collections import Counter
from typing import Any, Literal

from pydantic import Field

from paretoib.documents import Document
from paretoib.records._sweeps import TrialRecord


class ModelFile(Document):
    """The model file of a finished trial, which the store may keep.

    `bytes` is the size of the file; for a file that is not kept, the size of its weights. `missing`
    says why the file is not kept; it is None for a file that is kept.
    """

    trial: str
    bytes: int
    missing: str | None = None

    @property
    def kept(self) -> bool:
        """Whether the store has the file."""
        return self.missing is None


class ModelFiles(Document):
    """The model files of a sweep's finished trials, in the order in which the trials ended.

    `limit_mb` is the limit on their total size (the setting `PARETOIB_MODELS_MB`) when the sweep
    last ran. It is None before the sweep has begun, and for sweeps of earlier versions of paretoib,
    which kept no models.
    """

    schema_version: Literal[1] = Field(1, alias="schema")
    limit_mb: float | None = None
    files: tuple[ModelFile, ...] = ()

    @property
    def kept(self) -> tuple[ModelFile, ...]:
        """The files that the store has."""
        return tuple(file for file in self.files if file.kept)

    def why_missing(self, record: TrialRecord) -> str | None:
        """Why the model of an ended trial is not kept; None if it is kept."""
        if file := next((file for file in self.files if file.trial == record.trial), None):
            return file.missing
        if record.status != "finished":
            reason = f" ({record.reason})" if record.reason else ""
            return f"only finished trials have models, and this one is {record.status}{reason}"
        return self._why_none or "the sweep kept no models when this trial ended"

    def __str__(self) -> str:
        kept, total = self.kept, len(self.files)
        if not total:
            return f"none kept: {self._why_none or 'no trial has finished'}"
        count = f"{len(kept)} of {total}" if len(kept) < total else str(total)
        size = sum(file.bytes for file in kept) / 1e6
        reasons = Counter(file.missing for file in self.files if file.missing)
        why = f": {reasons.most_common(1)[0][0]}" if reasons else ""
        return f"{count} kept, {size:.3g} MB{why}"

    @property
    def summary(self) -> dict[str, Any]:
        """The limit, the number and the size of the kept files, and why others are missing."""
        return {
            "limit_mb": self.limit_mb,
            "kept": len(self.kept),
            "bytes": sum(file.bytes for file in self.kept),
            "missing": dict(Counter(file.missing for file in self.files if file.missing)),
        }

    @property
    def _why_none(self) -> str | None:
        """Why the sweep kept no models when it last ran; None if it kept them."""
        if self.limit_mb is None:
            return "the sweep has not begun, or ran with a version of paretoib that kept no models"
        return None if self.limit_mb else "the sweep ran with PARETOIB_MODELS_MB=0"
