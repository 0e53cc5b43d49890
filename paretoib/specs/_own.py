"""Sweeps of a user's own arrays and torch modules, which only this machine can run."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from paretoib.errors import SpecError
from paretoib.objectives import OBJECTIVES
from paretoib.settings import settings
from paretoib.specs._sections import REGISTRIES, as_mapping
from paretoib.specs._sweep import SweepSpec


def with_own_parts(
    spec: SweepSpec | Mapping[str, Any], data: Any, encoder: Any
) -> Mapping[str, Any]:
    """The document of a sweep of own arrays, an own encoder, or both; None for neither.

    The arrays are saved in the data folder, so that workers and a resumed sweep can read them.
    Fields of the spec's sections `data` and `model`, such as `split_seed` and `latent`, are kept.
    The default name is METHOD-ENCODER, or METHOD-arrays without an encoder.

    Raises:
        SpecError: the spec names another data set or model, or the encoder cannot be used.
        DataError: the arrays do not fit, or cannot be saved.
    """
    document = dict(spec.document if isinstance(spec, SweepSpec) else spec)
    label = "arrays"
    if data is not None:
        from paretoib.data import save_arrays

        path = save_arrays(_named_arrays(data), settings().data / "arrays")
        document["data"] = _own_section(document, "data", {"name": "npz", "path": str(path)})
    if encoder is not None:
        from paretoib.models import register_encoder

        fields = register_encoder(encoder)
        label = fields["encoder"].rpartition(".")[2].strip("<>")
        document["model"] = _own_section(document, "model", fields)
    if not document.get("name"):
        document["name"] = f"{document.get('method', 'mib')}-{label}"
    return document


def check_own_parts(spec: SweepSpec) -> None:
    """Check that the encoder of a sweep can be trained on its data.

    Raises:
        SpecError: the encoder draws random numbers, has other outputs, or cannot be stacked.
        DataError: the data set cannot be loaded.
    """
    from paretoib.data import load_dataset
    from paretoib.models import check_encoder

    noise = OBJECTIVES[spec.objective.name].noise_of(spec.objective.params)
    dataset = load_dataset(spec.data.name, spec.data.params)
    check_encoder(spec.model.params, dataset.shape, noise=noise)


def local_sections(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The kinds and names of sections that need files or code of one machine.

    The document need not be valid; no file is read.
    """
    for kind, registry in REGISTRIES.items():
        section = as_mapping(document.get(kind))
        name = section.get("name") if isinstance(section, Mapping) else None
        if isinstance(name, str) and name in registry and registry[name].local:
            yield kind, name


def _own_section(
    document: Mapping[str, Any], kind: str, fields: Mapping[str, Any]
) -> dict[str, Any]:
    section = as_mapping(document.get(kind, {}))
    name = section.get("name", fields["name"]) if isinstance(section, Mapping) else section
    if name != fields["name"]:
        raise SpecError(
            f"{kind}: should have no name, because the {kind} is an argument; found `{name}`"
        )
    return {**section, **fields}


def _named_arrays(data: Any) -> dict[str, Any]:
    """Arrays by name, from a pair (x, y) or a mapping; torch tensors become NumPy arrays."""
    if isinstance(data, Sequence) and len(data) == 2:
        data = dict(zip("xy", data, strict=True))
    if not isinstance(data, Mapping):
        raise SpecError(
            "data: should be a pair of arrays (x, y), or a mapping of arrays such as "
            f"{{'x': x, 'y': y, 'split': split}}; found {type(data).__name__}"
        )
    import numpy as np

    return {
        name: array.detach().cpu().numpy() if hasattr(array, "detach") else np.asarray(array)
        for name, array in data.items()
    }
