"""The HTML page around an interactive picture, and the table of a comparison below it."""

from html import escape
from string import Template

from paretoib.fronts._drawing import LEFT_COLOUR, RIGHT_COLOUR
from paretoib.fronts._table import ComparisonRow, comparison_rows, comparison_statistics
from paretoib.records import Comparison

_PAGE = Template("""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
  * { box-sizing: border-box }
  body { margin: 0; padding: 14px 18px; min-height: 100vh; display: flex; flex-direction: column;
         gap: 8px; font: 14px/1.45 system-ui, sans-serif; color: #30343b; background: white }
  h1 { font-size: 18px; margin: 0; overflow-wrap: anywhere }
  p { margin: 0; max-width: 110ch }
  .plot { position: relative; flex: $flex }
  .plot > div { position: absolute; inset: 0 }
  button { font: inherit; padding: 2px 12px; border: 1px solid #9aa0a8; background: white;
           color: inherit; cursor: pointer }
  button:first-of-type { border-radius: 6px 0 0 6px }
  button:last-of-type { border-radius: 0 6px 6px 0; border-left: 0 }
  button[aria-pressed=true] { background: #30343b; color: white }
  .table { overflow-x: auto }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums }
  th, td { padding: 4px 14px 4px 0; text-align: right; border-bottom: 1px solid #e6e8eb }
  th:first-child { text-align: left; font-weight: normal }
  small { color: #5a6069 }
</style>
<h1>$title</h1>
<p>$lead</p>
<div role="group" aria-label="Rate axis">Rate axis
  <button data-axis="log">logarithmic</button><button data-axis="linear">linear</button>
</div>
<div class="plot">$plot</div>
$below
<script>
  const plot = document.getElementById("plot");
  const buttons = document.querySelectorAll("button[data-axis]");
  function press(axis) {
    buttons.forEach(b => b.setAttribute("aria-pressed", b.dataset.axis === axis));
  }
  buttons.forEach(b => b.addEventListener("click", () => {
    Plotly.relayout(plot, {"xaxis.type": b.dataset.axis, "xaxis.autorange": true});
    press(b.dataset.axis);
  }));
  press("$axis");
</script>
</html>
""")


def page(title: str, lead: str, plot: str, *, log: bool, below: str = "") -> str:
    """A complete HTML page; `lead`, `plot` and `below` are HTML, `title` is text."""
    return _PAGE.substitute(
        title=escape(title),
        lead=lead,
        plot=plot,
        below=below,
        axis="log" if log else "linear",
        flex="0 0 480px" if below else "1 0 420px",
    )


def comparison_table(comparison: Comparison) -> str:
    """The rows of `comparison_rows` as an HTML table, with the statistics below it."""
    *statistics, reference = comparison_statistics(comparison)
    return (
        f'<div class="table"><table><thead><tr><th></th>'
        f'<th style="color:{LEFT_COLOUR}">{escape(comparison.left.label)}</th>'
        f'<th style="color:{RIGHT_COLOUR}">{escape(comparison.right.label)}</th></tr></thead>'
        f"<tbody>{''.join(map(_row, comparison_rows(comparison)))}</tbody></table></div>\n"
        f"<p>{escape(' · '.join(statistics))}</p>\n"
        f"<p><small>{escape(reference.capitalize())}. A dash means unknown, or too few "
        "seeds.</small></p>"
    )


def _row(row: ComparisonRow) -> str:
    note = f" <small>{row.better} is better</small>" if row.better else ""
    cells = f"<td>{escape(row.left)}</td><td>{escape(row.right)}</td>"
    return f"<tr><th>{escape(row.label)}{note}</th>{cells}</tr>"
