"""Import-linter contracts of this project; `[tool.importlinter]` in pyproject.toml uses them."""

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, output


class PrivateModules(Contract):
    """Only the package that contains a module with a leading underscore may import this module."""

    type_name = "private_modules"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002
        """Collect every import of another package's private module."""
        broken = [
            (importer, imported)
            for imported in graph.modules
            if (owner := owner_of(imported))
            for importer in graph.find_modules_that_directly_import(imported)
            if importer != owner and not importer.startswith(f"{owner}.")
        ]
        return ContractCheck(kept=not broken, metadata={"broken": sorted(broken)})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the imports that break the contract, one per line."""
        for importer, imported in check.metadata["broken"]:
            output.print_error(
                f"{importer} imports {imported}, which is private to {owner_of(imported)}"
            )


def owner_of(module: str) -> str | None:
    """The package to which a module is private; None for a public module."""
    parts = module.split(".")
    private = next((i for i, part in enumerate(parts) if is_private(part)), None)
    return None if private is None else ".".join(parts[:private])


def is_private(name: str) -> bool:
    """Whether a name begins with one underscore."""
    return name.startswith("_") and not name.startswith("__")
