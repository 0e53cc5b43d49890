"""The code of a user's class or function: a digest of it, and the modules that hold it."""

import functools
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

# Of a class, these say where it was defined and not what it does.
_BOOKKEEPING = {
    "__annotations__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__qualname__",
    "__static_attributes__",
    "__weakref__",
}
_INSTALLED = ("builtins", "jobs", "numpy", "paretoib", "torch")


@dataclass(frozen=True)
class Definition:
    """The code of a class or function.

    `digest` depends on the bytecode, so it is the same in every process with the same minor version
    of Python. It covers functions, classes and constants of the user's own modules, as far as the
    code names them, and values that a function has captured. `modules` are the names of these
    modules, without `__main__`; installed packages count by their names only.
    """

    digest: str
    modules: tuple[str, ...]

    @classmethod
    def of(cls, target: Any) -> "Definition":
        """The definition of a class, a function, or another callable."""
        walk = _Walk()
        total = hashlib.sha256()
        for part in walk.value(target):
            total.update(part if isinstance(part, bytes) else f"{part}\n".encode())
        return cls(total.hexdigest()[:16], tuple(sorted(walk.modules - {"__main__"})))


class _Walk:
    """Visits everything that a definition consists of, each part once."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self._seen: set[int] = set()
        self._alive: list[Any] = []  # so that no id is used twice

    def value(self, value: Any) -> Iterator[str | bytes]:
        """The parts of any value."""
        if isinstance(value, bool | int | float | complex | str | bytes | type(None)):
            yield f"{type(value).__name__} {value!r}"
        elif isinstance(value, tuple):
            yield f"tuple {len(value)}"
            for part in value:
                yield from self.value(part)
        elif isinstance(value, frozenset):
            yield f"frozenset {sorted(map(repr, value))}"
        elif isinstance(value, CodeType):
            yield from self._code(value)
        else:
            yield from self._once(value)

    def _once(self, value: Any) -> Iterator[str | bytes]:
        """The parts of a value with an identity, at its first visit."""
        if id(value) in self._seen:
            yield f"again {getattr(value, '__qualname__', type(value).__qualname__)}"
            return
        self._seen.add(id(value))
        self._alive.append(value)
        if isinstance(value, ModuleType):
            yield f"module {value.__name__}"
        elif isinstance(value, type | FunctionType) and _is_installed(value.__module__):
            yield f"{value.__module__}.{value.__qualname__}"
        elif isinstance(value, type):
            yield from self._class(value)
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, MethodType):
            yield from self.value(value.__func__)
            yield from self.value(value.__self__)
        elif isinstance(value, staticmethod | classmethod):
            yield type(value).__name__
            yield from self.value(value.__func__)
        elif isinstance(value, property):
            yield "property"
            for part in (value.fget, value.fset, value.fdel):
                yield from self.value(part)
        elif isinstance(value, functools.partial):
            yield "partial"
            yield from self.value((value.func, value.args, value.keywords))
        elif isinstance(value, list):
            yield "list"
            yield from self.value(tuple(value))
        elif isinstance(value, set):
            yield "set"
            yield from self.value(frozenset(value))
        elif isinstance(value, dict):
            yield f"dict {len(value)}"
            for key in sorted(value, key=repr):
                yield from self.value(key)
                yield from self.value(value[key])
        else:
            yield from self._object(value)

    def _class(self, value: type) -> Iterator[str | bytes]:
        self.modules.add(value.__module__)
        yield f"class {value.__name__}"
        for base in value.__bases__:
            yield from self.value(base)
        for name, part in sorted(vars(value).items()):
            if name not in _BOOKKEEPING:
                yield name
                yield from self.value(part)

    def _function(self, value: FunctionType) -> Iterator[str | bytes]:
        self.modules.add(value.__module__)
        yield f"def {value.__name__}"
        yield from self._code(value.__code__)
        yield from self.value((value.__defaults__, value.__kwdefaults__))
        for cell in value.__closure__ or ():
            # The class itself, for `super()`; and names that are not defined yet.
            content = cell.cell_contents if _is_filled(cell) else None
            yield from self.value(content)
        names = sorted(_names(value.__code__))
        yield from self._named(names, value.__globals__)
        for name in names:
            module = value.__globals__.get(name)
            if isinstance(module, ModuleType) and not _is_installed(module.__name__):
                self.modules.add(module.__name__)
                yield from self._named(names, vars(module))

    def _named(self, names: Sequence[str], namespace: Mapping[str, Any]) -> Iterator[str | bytes]:
        """The values that a function names, in its own module or in a module that it imports."""
        for name in names:
            if name in namespace:
                yield name
                yield from self.value(namespace[name])

    def _code(self, code: CodeType) -> Iterator[str | bytes]:
        yield code.co_code
        yield repr((code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
        yield from self.value(code.co_consts)

    def _object(self, value: Any) -> Iterator[str | bytes]:
        """An object: its class, and the tensors of a module or of a tensor."""
        yield f"object of {type(value).__module__}.{type(value).__qualname__}"
        if hasattr(value, "state_dict"):
            yield from self.value(type(value))
            yield repr(value)
            yield from self.value(dict(value.state_dict()))
        elif hasattr(value, "detach"):
            yield f"{value.dtype} {tuple(value.shape)}"
            yield value.detach().cpu().double().numpy().tobytes()
        elif hasattr(value, "tobytes"):
            yield f"{value.dtype} {value.shape}"
            yield value.tobytes()


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _names(code: CodeType) -> set[str]:
    """The global names that a function uses, also in the functions that it contains."""
    nested = [_names(const) for const in code.co_consts if isinstance(const, CodeType)]
    return set(code.co_names).union(*nested)


@functools.cache
def _is_installed(module: str) -> bool:
    """Whether a module belongs to an installed package or to Python itself."""
    root = module.partition(".")[0]
    if root in _INSTALLED or root in sys.stdlib_module_names:
        return root != "__main__"
    file = getattr(sys.modules.get(root), "__file__", None)
    if file is None:
        return False
    paths = (sysconfig.get_path(name) for name in ("purelib", "platlib"))
    return any(Path(file).is_relative_to(path) for path in paths)


def label_of(target: Any) -> str:
    """The name of a class or function, for messages."""
    return str(getattr(target, "__qualname__", type(target).__qualname__))


def required_arguments(target: Any) -> int:
    """The number of arguments without a default; raises `ValueError` if it cannot be found."""
    parameters = inspect.signature(target).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return sum(p.default is p.empty and p.kind not in variable for p in parameters)
