"""Tables of docs/ that are rendered from the code.

A page holds such a table between `<!-- table: NAME -->` and `<!-- end -->`. All columns come from
the code, except those that are written by hand: their cells are read from the page.

`python -m tests.docs.reference` renders all tables. A new row has "(fill in)" in the columns
that are written by hand; replace it on the page.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from paretoib.cli import app
from paretoib.data import DATASETS, DETERMINISTIC
from paretoib.errors import SpecError
from paretoib.models import MODELS
from paretoib.objectives import OBJECTIVES
from paretoib.presets import PRESETS
from paretoib.records import SweepState
from paretoib.registry import Entry, Param
from paretoib.settings import Settings
from paretoib.specs import METHODS, SEARCHES, SweepSpec, TrialSpec, section_model
from paretoib.weighting import WEIGHTINGS
from service.app import create_app
from service.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(<!-- table: (?P<name>[\w ]+) -->\n)(?P<table>.*?)(<!-- end -->)", re.DOTALL)
REGISTRIES: dict[str, Mapping[str, Entry]] = {
    "data": DATASETS,
    "model": MODELS,
    "objective": OBJECTIVES,
    "weighting": WEIGHTINGS,
}
# Sections whose fields are the same in all sweeps.
FIXED_SECTIONS = ("training", "budget", "prune", "plateau", "resources")
# Defaults of a sweep's fields that are not the method's alone.
SWEEP_DEFAULTS = {
    "model": "the method's; if it has none, the objective's; otherwise the data set's",
    "seeds": "the method's for searches grid and adaptive, otherwise `[0]`",
}
# Errors that most routes share.
COMMON_ERRORS = {"400", "401", "403", "429", "500", "503"}
# The text of a cell that has not been written yet.
MISSING = "(fill in)"

Row = Mapping[str, str]


def pages() -> list[Path]:
    """All pages of docs/."""
    return sorted((ROOT / "docs").rglob("*.md"))


def render(page: str) -> str:
    """The text of a page, with all its tables rendered."""
    return BLOCK.sub(lambda block: f"{block[1]}{_block(block)}\n{block[4]}", page)


def _block(block: re.Match[str]) -> str:
    return "\n" + TABLES[block["name"]](block["table"])


def read_table(text: str) -> list[dict[str, str]]:
    """The rows of a table, by column."""
    lines = [_cells(line) for line in text.splitlines() if line.startswith("|")]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[2:]]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _table(rows: Iterable[Row], page: str = "", by_hand: Sequence[str] = ()) -> str:
    """Rows as a Markdown table; the cells of the columns `by_hand` are read from the page."""
    rows = [{name: _escaped(cell) for name, cell in row.items()} for row in rows]
    columns = list(rows[0])
    on_page = {next(iter(row.values())): row for row in read_table(page)}
    for row in rows:
        old = on_page.get(row[columns[0]], {})
        row |= {name: old.get(name) or MISSING for name in by_hand}
    lines = [columns, ["---"] * len(columns), *(row.values() for row in rows)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _escaped(cell: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\|", " ".join(cell.split()))


def _code(value: object) -> str:
    return f"`{value}`" if value not in ("", None) else ""


def _codes(values: Iterable[object]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _class(entry: Entry) -> str:
    return _code(entry.target.removeprefix("paretoib.").replace(":", "."))


# Methods and registries


def methods(page: str) -> str:
    """All methods with their parts and their default sweeps."""
    rows = []
    for name, method in METHODS.items():
        spec = SweepSpec.from_document({"method": name})
        seeds = "seed" if len(spec.seeds) == 1 else "seeds"
        rows.append(
            {
                "method": _code(name),
                "summary": method.summary,
                "objective": _code(method.objective),
                "weighting": _code(method.weighting),
                "default sweep": f"`{spec.search}`, {spec.trials} trials, {seeds} "
                f"{','.join(str(seed) for seed in spec.seeds)}",
                "paper": method.paper,
                "checked against": "",
            }
        )
    return _table(rows, page, ["checked against"])


def objectives(page: str) -> str:
    """All objectives with their compression term."""
    rows = [
        {
            "objective": _code(name),
            "compression": "",
            "noise": entry.noise,
            "class": _class(entry),
            "paper": entry.paper,
            "checked against": "",
        }
        for name, entry in OBJECTIVES.items()
    ]
    return _table(rows, page, ["compression", "checked against"])


def weightings(page: str) -> str:
    """All weightings."""
    rows = [
        {
            "weighting": _code(name),
            "weights of the losses": "",
            "class": _class(entry),
            "paper": entry.paper,
            "checked against": "",
        }
        for name, entry in WEIGHTINGS.items()
    ]
    return _table(rows, page, ["weights of the losses", "checked against"])


def models(_: str) -> str:
    """All models."""
    rows = (
        {
            "model": _code(name),
            "network": entry.summary,
            "data": ", ".join(entry.inputs),
            "class": _class(entry),
            "paper": entry.paper,
        }
        for name, entry in MODELS.items()
    )
    return _table(rows)


def datasets(_: str) -> str:
    """All data sets."""
    exact = {"": "", DETERMINISTIC: "yes (Y is a function of X)"}
    rows = (
        {
            "data set": _code(name),
            "content": entry.summary,
            "inputs": entry.kind,
            "tasks": _codes(entry.tasks),
            "default model": _code(entry.model),
            "exact curve": exact.get(entry.exact, "yes"),
            "paper": entry.paper,
        }
        for name, entry in DATASETS.items()
    )
    return _table(rows)


def searches(_: str) -> str:
    """All searches with their default sizes."""

    def size(number: int, of_zero: str, *, each_seed: bool) -> str:
        return f"{number or of_zero}{' for each seed' if each_seed else ''}"

    rows = (
        {
            "search": _code(name),
            "proposes": entry.summary,
            "trials": size(entry.trials, "the method's", each_seed=entry.every_seed),
            "trials in a generation": size(
                entry.population, "all", each_seed=entry.every_seed and entry.population > 0
            ),
        }
        for name, entry in SEARCHES.items()
    )
    return _table(rows)


def presets(_: str) -> str:
    """All presets with their methods and the values that their papers do not give."""
    rows = (
        {
            "preset": _code(name),
            "shows": preset.title,
            "paper": f"{preset.citation}; {preset.source}",
            "data sets": _codes(preset.data),
            "methods": _codes(preset.methods),
            "ours": _codes(
                dict.fromkeys(f for method in preset.methods for f in preset.reasons(method))
            ),
        }
        for name, preset in PRESETS.items()
    )
    return _table(rows)


def combinations(data: str, heading: str) -> Callable[[str], str]:
    """The objectives (rows) and weightings (columns) that a trial on `data` can combine.

    `heading` is the heading of the first column.
    """

    def accepts(objective: str, weighting: str) -> str:
        model = OBJECTIVES[objective].model or "mlp"
        document = {"data": data, "model": model, "objective": objective, "weighting": weighting}
        try:
            TrialSpec.from_document(document)
        except SpecError:
            return "no"
        return "yes"

    return lambda _: _table(
        {heading: _code(name)} | {_code(other): accepts(name, other) for other in WEIGHTINGS}
        for name in OBJECTIVES
    )


# Settings


def settings(model: type[BaseModel], prefix: str) -> Callable[[str], str]:
    """Environment variables, from a model of pydantic-settings."""
    return lambda _: _table(
        {
            "setting": _code(prefix + name.upper()),
            "meaning": field.description or "",
            "default": _setting_default(field),
        }
        for name, field in model.model_fields.items()
    )


def _setting_default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    # `validate_default=False` marks a default that users cannot set; the table shows "none".
    if value in ("", (), None) or field.validate_default is False:
        return "none"
    if isinstance(value, bool):
        return _code("on" if value else "off")
    return _code(",".join(value) if isinstance(value, tuple) else value)


# Fields


def sweep_fields(_: str) -> str:
    """The fields of a sweep's document."""
    method = SweepSpec.from_document({}).method
    rows = [dict(row) for row in _fields(SweepSpec)]
    for row in rows:
        name = row["field"].strip("`")
        if name in REGISTRIES:
            row["type"] = f"[a name or a section](#{name})"
        if name == "method":
            row["default"] = _code(method)
        row["default"] = SWEEP_DEFAULTS.get(name, row["default"])
    return _table(rows)


def fixed_section_fields(section: str) -> Callable[[str], str]:
    """The fields of a section of `FIXED_SECTIONS`."""
    annotation = SweepSpec.model_fields[section].annotation
    kinds = [kind for kind in (annotation, *getattr(annotation, "__args__", ())) if _is_model(kind)]
    return lambda _: _table(_fields(kinds[0]))


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _fields(model: type[BaseModel]) -> Iterator[Row]:
    schema = model.model_json_schema()
    for name, field in schema["properties"].items():
        if name != "schema":
            yield {
                "field": _code(name),
                "type": _type(field),
                "default": _default(model.model_fields[name]),
                "meaning": field.get("description", ""),
            }


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "the method's"
    value = to_jsonable_python(field.default)
    return "" if isinstance(value, dict) or value is None else _value(value)


def section_fields(kind: str) -> Callable[[str], str]:
    """The fields of all entries of a registry; a field that several entries share has one row."""

    def table(_: str) -> str:
        merged: dict[tuple[str, str, str], dict[str, Any]] = {}
        for name, entry in REGISTRIES[kind].items():
            properties = section_model(kind, name).model_json_schema()["properties"]
            for param in entry.params:
                key = (param.name, _type(properties[param.name]), param.doc)
                row = merged.setdefault(key, {"param": param, "defaults": {}})
                row["defaults"][name] = param.default
        return _table(
            _section_row(kind, type_, row["param"], row["defaults"])
            for (_, type_, _), row in merged.items()
        )

    return table


def _section_row(kind: str, type_: str, param: Param, defaults: Mapping[str, Any]) -> Row:
    names: dict[str, list[str]] = {}
    for name, default in defaults.items():
        names.setdefault(_value(default), []).append(name)
    in_all_entries = list(defaults) == list(REGISTRIES[kind])
    usual = max(names, key=lambda value: len(names[value]))
    others = (f"{value} ({_codes(names[value])})" for value in names if value != usual)
    return {
        "field": _code(param.name),
        "of": "all" if in_all_entries else _codes(defaults),
        "type": type_,
        "default": "; ".join([usual, *others]),
        "meaning": param.doc,
        "per trial": "yes" if param.per_trial else "",
    }


def _value(value: Any) -> str:
    value = to_jsonable_python(value)
    if isinstance(value, float):
        return f"`{value:.4g}`"
    return _code(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _type(schema: Mapping[str, Any]) -> str:
    """The type and the bounds of a field, from its JSON schema."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name.lower()}](#{name.lower()})" if name.lower() in FIXED_SECTIONS else "mapping"
    if "anyOf" in schema:
        kinds = [_type(kind) for kind in schema["anyOf"] if kind.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "prefixItems" in schema:
        items = [_type(item) for item in schema["prefixItems"]]
        return f"{len(items)} values: {' and '.join(dict.fromkeys(items))}"
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"list: {_type(schema.get('items', {}))}"
    if schema.get("format") == "date-time":
        return "time"
    names = {"object": "mapping", "boolean": "true or false", "string": "text"}
    limits = {
        "minimum": "≥ {}",
        "exclusiveMinimum": "> {}",
        "maximum": "≤ {}",
        "exclusiveMaximum": "< {}",
    }
    bounds = [words.format(_bound(schema[key])) for key, words in limits.items() if key in schema]
    return " ".join([names.get(kind, kind), ", ".join(bounds)]).rstrip()


def _bound(value: float) -> str:
    return "2^31" if value == 2**31 else f"{value:g}" if value < 1e6 else f"{value:.0e}"


# Commands


def commands(_: str) -> str:
    """All commands with their arguments."""
    return _table(
        {
            "command": _code(" ".join(["paretoib", name, *_arguments(command)])),
            "does": command.help,
        }
        for name, command in _commands().items()
    )


def flags(_: str) -> str:
    """All flags; a flag that several commands share has one row."""
    all_commands = _commands()
    merged: dict[tuple[str, str], list[str]] = {}
    for name, command in all_commands.items():
        context = command.make_context(name, [], resilient_parsing=True)
        for option in command.params:
            if record := option.get_help_record(context):
                merged.setdefault(record, []).append(name)
    return _table(
        {
            "flag": _code(flag),
            "meaning": meaning,
            "commands": _names_or_all_but(names, all_commands),
        }
        for (flag, meaning), names in merged.items()
        if flag.startswith("-")
    )


def _commands() -> dict[str, Any]:
    root: Any = typer.main.get_command(app)
    return dict(root.commands)


def _arguments(command: Any) -> list[str]:
    return [p.metavar for p in command.params if p.param_type_name == "argument"]


def _names_or_all_but(names: Sequence[str], all_names: Iterable[str]) -> str:
    """The names as text, or "all but" with the missing names, if these are fewer."""
    missing = [name for name in all_names if name not in names]
    return f"all but {_codes(missing)}" if len(missing) < len(names) else _codes(names)


# Routes


def routes(_: str) -> str:
    """The routes of the OpenAPI schema."""
    paths = create_app(ServiceSettings(auth=False)).openapi()["paths"]
    rows = []
    for path, operations in paths.items():
        for verb, operation in operations.items():
            parameters = operation.get("parameters", ())
            query = [p["name"] for p in parameters if p["in"] == "query"]
            headers = [p["name"] for p in parameters if p["in"] == "header"]
            statuses = set(operation["responses"])
            rows.append(
                {
                    "route": _code(f"{verb.upper()} {path}"),
                    "does": f"{operation['summary']}. {operation.get('description', '')}",
                    "parameters": _codes([*query, *headers]),
                    "success": ", ".join(sorted(s for s in statuses if s < "300")),
                    "errors": ", ".join(sorted(s for s in statuses - COMMON_ERRORS if s > "300")),
                }
            )
    return _table(rows)


def query_parameters(_: str) -> str:
    """The parameters of all routes; a parameter that several routes share has one row."""
    paths = create_app(ServiceSettings(auth=False)).openapi()["paths"]
    merged: dict[tuple[str, str, str], list[str]] = {}
    for path, operations in paths.items():
        for verb, operation in operations.items():
            for parameter in operation.get("parameters", ()):
                description = parameter.get("description", "")
                key = (parameter["name"], _type(parameter["schema"]), description)
                merged.setdefault(key, []).append(f"{verb.upper()} {path}")
    return _table(
        {
            "parameter": _code(name),
            "type": type_,
            "meaning": description,
            "of": _codes(of) if len(of) < 3 else f"{len(of)} routes",
        }
        for (name, type_, description), of in merged.items()
    )


def state_fields(page: str) -> str:
    """The fields of a sweep's state; their meaning is written by hand."""
    properties = SweepState.model_json_schema(mode="serialization")["properties"]
    rows = [
        {"field": _code(name), "type": _type(field), "meaning": ""}
        for name, field in properties.items()
    ]
    return _table(rows, page, ["meaning"])


TABLES: dict[str, Callable[[str], str]] = {
    "methods": methods,
    "objectives": objectives,
    "weightings": weightings,
    "models": models,
    "data sets": datasets,
    "searches": searches,
    "presets": presets,
    "combinations of one task": combinations("digits", "one task"),
    "combinations of several tasks": combinations("multi_mnist", "several tasks"),
    "settings": settings(Settings, "PARETOIB_"),
    "service settings": settings(ServiceSettings, "PARETOIB_SERVICE_"),
    "sweep fields": sweep_fields,
    **{f"{section} fields": fixed_section_fields(section) for section in FIXED_SECTIONS},
    **{f"{kind} fields": section_fields(kind) for kind in REGISTRIES},
    "commands": commands,
    "flags": flags,
    "routes": routes,
    "parameters": query_parameters,
    "state fields": state_fields,
}


def main() -> None:
    """Render all tables of docs/."""
    for page in pages():
        old = page.read_text(encoding="utf-8")
        if (new := render(old)) != old:
            page.write_text(new, encoding="utf-8")
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
