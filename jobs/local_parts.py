"""A user's own file and encoder: checked before a sweep begins, and sent to its workers.

Workers read the file by its absolute path. They get the encoder by value, because they cannot
import the user's program.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from paretoib.data import DATASETS
from paretoib.errors import SpecError
from paretoib.specs import SweepSpec

OWN_MODEL = "module"


class PickledEncoder(NamedTuple):
    """An encoder as bytes, and the digest of its code."""

    code: str
    content: bytes


def check_local_parts(spec: SweepSpec) -> None:
    """Check the file and the encoder of a sweep, before Ray is started.

    Raises:
        SpecError: this process does not know the encoder, or a field is not that of the file.
        DataError: the file is missing, or its content has changed.
    """
    if spec.model.name == OWN_MODEL:
        from paretoib.models import encoder_of

        encoder_of(spec.model.params)
    if DATASETS[spec.data.name].local:
        from paretoib.data import load_dataset

        load_dataset(spec.data.name, spec.data.params)


def pickled_encoder(spec: SweepSpec) -> PickledEncoder | None:
    """The own encoder of a sweep, if it has one.

    The user's own modules are pickled with the encoder. Installed packages are imported by the
    workers. Raises `SpecError` for an encoder that cannot be pickled.
    """
    if spec.model.name != OWN_MODEL:
        return None
    import ray.cloudpickle

    from paretoib.models import Definition, encoder_of

    encoder = encoder_of(spec.model.params)
    try:
        with _pickled_by_value(Definition.of(encoder).modules):
            content = ray.cloudpickle.dumps(encoder)
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise SpecError(
            f"encoder: workers should get `{spec.model['encoder']}` by value; found "
            f"{type(error).__name__}: {text}"
        ) from error
    return PickledEncoder(spec.model["code"], content)


def load_encoder(pickled: PickledEncoder | None) -> None:
    """Make an encoder known to this worker."""
    if pickled is not None:
        import ray.cloudpickle

        from paretoib.models import add_encoder

        code, content = pickled
        add_encoder(code, ray.cloudpickle.loads(content))


@contextmanager
def _pickled_by_value(modules: tuple[str, ...]) -> Iterator[None]:
    import ray.cloudpickle

    found = [sys.modules[name] for name in modules if name in sys.modules]
    for module in found:
        ray.cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in found:
            ray.cloudpickle.unregister_pickle_by_value(module)
