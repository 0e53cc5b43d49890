"""Parts of a sweep's log: the last lines, and the text after a byte."""

from io import BytesIO

import pytest

from paretoib.tracking import log_part
from paretoib.tracking._logs import LARGEST_PART

LOG = b"one\ntwo\nthree\n"


@pytest.mark.parametrize(
    ("tail", "text"), [(1, "three\n"), (2, "two\nthree\n"), (9, "one\ntwo\nthree\n")]
)
def test_the_last_lines_are_the_default(tail: int, text: str) -> None:
    """A part has the last lines; its end is the end of the log."""
    part = log_part(BytesIO(LOG), tail=tail)
    assert (part.text, part.end) == (text, len(LOG))


def test_parts_after_one_another_are_the_whole_log() -> None:
    """Each part starts at the end of the last one, also while the log grows and if it shrinks."""
    assert log_part(BytesIO(LOG), after=4).text == "two\nthree\n"
    assert log_part(BytesIO(LOG), after=len(LOG)).text == ""
    assert log_part(BytesIO(LOG + b"four\n"), after=len(LOG)).text == "four\n"
    assert log_part(BytesIO(b""), after=len(LOG)).end == 0


def test_a_part_is_limited_and_has_whole_lines() -> None:
    """Parts of a long log have at most `LARGEST_PART` bytes and cut no line, even within `β`."""
    line = "β" * 50 + "\n"
    log = BytesIO((line * 6000).encode())
    last = log_part(log, tail=10_000)
    assert 0 < len(last.text.encode()) <= LARGEST_PART
    assert set(last.text.splitlines(keepends=True)) == {line}
    text, end, parts = "", 0, 0
    while part := log_part(log, after=end).text:
        text, end, parts = text + part, end + len(part.encode()), parts + 1
    assert (text, parts) == (line * 6000, 3)


def test_control_characters_are_replaced() -> None:
    """A message in a log cannot steer the terminal on which it is printed."""
    assert log_part(BytesIO(b"a\x1b[2Jb\r\xc2\x9bc\td\n")).text == "a�[2Jb��c\td\n"
