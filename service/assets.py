"""Static files of the pages: a style sheet, two scripts, and plotly's script."""

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

MEDIA_TYPES = {
    "service.css": "text/css",
    "service.js": "text/javascript",
    "trials.js": "text/javascript",
}
"""The files in `static/`, with their media types."""
_FOLDER = Path(__file__).parent / "static"


@cache
def read_asset(name: str) -> bytes:
    """The content of a file in `static/`."""
    return (_FOLDER / name).read_bytes()


@cache
def assets_version() -> str:
    """A hash of all files in `static/`, which is part of their URLs: browsers cache the files."""
    return hashlib.sha256(b"".join(map(read_asset, MEDIA_TYPES))).hexdigest()[:12]


@cache
def plotly_path() -> Path:
    """The path of the minified script in the installed plotly package."""
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


@cache
def plotly_version() -> str:
    """The size of plotly's script in hexadecimal, which is part of the script's URL.

    It is not a hash, because hashing 4 MB takes time.
    """
    return f"{plotly_path().stat().st_size:x}"
