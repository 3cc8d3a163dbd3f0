"""The HTML of a report. Every text is escaped, and nothing is loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files

from asr_gru.scoring import Pair
from asr_gru.training.run_report.charts import Chart
from asr_gru.training.run_report.worst import ListResult, Recognised

__all__ = ["alignment", "facts", "page", "settings", "validations", "worst_utterances"]

MAX_PAIRS = 300
"""Words of an utterance that are shown."""
MAX_ROWS = 200
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Content security policy: even if a text were not escaped, it could load and run nothing."""
GAP = "***"


def page(title: str, sections: Mapping[str, str], charts: Sequence[Chart]) -> str:
    """Return a whole document.

    Args:
        title: title of the report.
        sections: HTML by heading; the first stands before the charts, without a heading.
        charts: drawn curves.
    """
    style = files("asr_gru.training.run_report").joinpath("style.css").read_text("utf-8")
    (_, first), *others = sections.items()
    figures = "".join(
        f"<figure><figcaption>{escape(chart.title)}</figcaption>"
        f'<div role="img" aria-label="{escape(chart.title)} by training step">{chart.svg}</div>'
        "</figure>"
        for chart in charts
    )
    curves = figures or "<p>No curves: the run has no metrics yet.</p>"
    rest = "".join(f"<section><h2>{escape(name)}</h2>{body}</section>" for name, body in others)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">
<title>{escape(title)}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{first}
<section><h2>Curves</h2><div class="charts">{curves}</div></section>
{rest}
</main>
</body>
</html>
"""


def facts(values: Mapping[str, str]) -> str:
    """Return names and values as a grid."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="facts">{items}</dl>'


def validations(history: Sequence[Mapping[str, float]]) -> str:
    """Return the table of validations, the latest first."""
    if not history:
        return "<p>The run has no validation set, or did not reach its first validation.</p>"
    names = list(dict.fromkeys(name for row in history for name in row))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = "".join(
        "<tr>" + "".join(f"<td>{_number(row.get(name))}</td>" for name in names) + "</tr>"
        for row in list(history)[: -MAX_ROWS - 1 : -1]
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f'<div class="wide">{table}</div>'


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.0f}" if value == int(value) and abs(value) >= 1 else f"{value:.4g}"


def settings(tables: Mapping[str, Mapping[str, tuple[str, bool]]]) -> str:
    """Return the configuration.

    Args:
        tables: for each table and key, the value and whether it is the default.
    """
    blocks = []
    for name, values in tables.items():
        rows = "".join(
            f'<tr class="{"default" if is_default else "changed"}"><th scope="row">{escape(key)}'
            f"</th><td>{escape(value)}</td></tr>"
            for key, (value, is_default) in values.items()
        )
        caption = f"[{name}]" if name else "run"
        blocks.append(f"<table><caption>{escape(caption)}</caption>{rows}</table>")
    return (
        "<p>Values that are not the default are bold.</p>"
        f'<div class="settings">{"".join(blocks)}</div>'
    )


def worst_utterances(
    results: Sequence[ListResult], unit: str, pictures: Mapping[tuple[str, str], str], note: str
) -> str:
    """Return the worst utterances of each set.

    Args:
        results: the sets.
        unit: ``"words"`` or ``"phones"``.
        pictures: posteriorgrams as ``<svg>``, by names of set and recording.
        note: a sentence about the posteriorgrams.
    """
    if not results:
        return "<p>No hypotheses: the run has not validated yet.</p>"
    legend = (
        'Reference above hypothesis: <span class="sub">substitution</span>, '
        '<span class="del">deletion</span>, <span class="ins">insertion</span>.'
    )
    parts = [f'<p class="legend">{legend} {escape(note)}</p>']
    for result in results:
        total = result.total
        parts.append(
            f"<h3>{escape(result.name)}</h3><p>{result.utterances} utterances, {result.right} "
            f"without errors; {total.rate:.2f} % of {total.words} {unit} wrong: "
            f"{total.substitutions} substituted, {total.deletions} deleted, "
            f"{total.insertions} inserted.</p>"
        )
        parts += [
            _utterance(one, unit, pictures.get((result.name, one.utterance.recording), ""))
            for one in result.worst
        ]
    return "".join(parts)


def _utterance(one: Recognised, unit: str, picture: str) -> str:
    score = one.score
    head = (
        f'<header><code>{escape(one.utterance.recording)}</code> <span class="rate">'
        f"{score.rate:.0f} %</span> {score.errors} errors in {score.words} {unit}</header>"
    )
    if picture:
        label = f"Log-mel energies and token probabilities of {one.utterance.recording}"
        picture = (
            f'<div class="wide"><div class="posteriorgram" role="img" '
            f'aria-label="{escape(label)}">{picture}</div></div>'
        )
    return f"<article>{head}{alignment(one.pairs())}{picture}</article>"


def alignment(pairs: Sequence[Pair]) -> str:
    """Return an alignment as pairs of reference and hypothesis that wrap like words."""
    shown = []
    for reference, hypothesis in pairs[:MAX_PAIRS]:
        kind, name = "ok", ""
        if reference is None:
            kind, name = "ins", "insertion"
        elif hypothesis is None:
            kind, name = "del", "deletion"
        elif reference != hypothesis:
            kind, name = "sub", "substitution"
        title = f' title="{name}"' if name else ""
        upper = GAP if reference is None else reference
        lower = GAP if hypothesis is None else hypothesis
        shown.append(
            f'<span class="pair {kind}"{title}><span class="ref">{escape(upper)}</span> '
            f'<span class="hyp">{escape(lower)}</span></span> '
        )
    more = f"<span>… {len(pairs) - MAX_PAIRS} more</span>" if len(pairs) > MAX_PAIRS else ""
    return f'<div class="alignment" dir="auto">{"".join(shown)}{more}</div>'
