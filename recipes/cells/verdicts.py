"""Claims about recurrent cells, each with a verdict from the measured figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recipes.cells.gates import strongest
from recipes.cells.gradients import VISIBLE, horizon

__all__ = ["CLAIMS", "Verdict", "baseline", "judge", "seed_spread"]

Figures = Mapping[str, Any]
HOLDS, FAILS, NO_DIFFERENCE = "holds", "does not hold", "no difference here"
NOT_MEASURED = "not measured"
CELLS = ("gru", "lstm", "rnn")
EQUAL = 0.01
"""Largest relative difference of numbers of parameters that count as equal."""
CLEAR_CORRELATION = 0.3
EXPLODES = 10.0
"""Growth of a gradient on its way back from which it counts as exploding."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the figures say about a claim, and the figures."""

    claim: str
    verdict: str
    evidence: str


def baseline(name: str) -> str:
    """Return the row that the row called ``name`` is compared with."""
    if name.endswith("-sgd-no-clip"):
        return name.removesuffix("-no-clip")
    if "-" not in name or name in ("lstm-narrow", "rnn-wide"):
        return "gru"
    return name.split("-")[0]


def seed_spread(figures: Figures) -> float:
    """Return the largest difference of error rates between seeds of one row, in points."""
    spreads = [0.0]
    for cell in (cell for cell in CELLS if cell in figures["rows"]):
        rates = _seed_rates(figures, cell, "rate")
        spreads.append(max(rates) - min(rates))
    return max(spreads)


def _seed_rates(figures: Figures, cell: str, rate: str) -> list[float]:
    rows = figures["rows"]
    seeds = [name for name in rows if name.startswith(f"{cell}-seed-")]
    return [rows[name][rate] for name in (cell, *seeds)]


def _matters(figures: Figures, name: str) -> int:
    """Return 1 if row ``name`` is worse than its baseline, -1 if better, 0 if neither is certain.

    A difference has to be larger than between seeds, and significant in the paired bootstrap. A row
    that diverged is worse.
    """
    if _diverged(figures, name):
        return 1
    versus = _versus(figures, name)
    certain = versus["significant"] and abs(versus["difference"]) > seed_spread(figures)
    return int(np.sign(versus["difference"])) if certain else 0


def _diverged(figures: Figures, name: str) -> bool:
    """Return whether row ``name`` diverged, and its baseline did not."""
    return name in figures.get("diverged", ()) and baseline(name) in figures["rows"]


def _versus(figures: Figures, name: str, key: str = "versus") -> Mapping[str, Any]:
    """Return how row ``name`` differs from its baseline; KeyError names the missing row."""
    versus: Mapping[str, Any] | None = figures["rows"][name].get(key)
    if versus is None:
        raise KeyError(baseline(name))
    return versus


def _are_worse(figures: Figures, names: Mapping[str, str]) -> str:
    """Return whether rows are worse than their baselines; if only some are, which ones.

    ``names`` are the rows, each with what it is called in the verdict.
    """
    worse = [called for name, called in names.items() if _matters(figures, name) > 0]
    if any(_matters(figures, name) < 0 for name in names):
        return FAILS
    if not worse:
        return NO_DIFFERENCE
    return HOLDS if len(worse) == len(names) else "holds for " + ", ".join(f"`{w}`" for w in worse)


def _difference(figures: Figures, name: str, key: str = "versus") -> str:
    if _diverged(figures, name):
        return f"`{name}` diverged"
    versus = _versus(figures, name, key)
    low, high = versus["interval"]
    return f"`{name}` {versus['difference']:+.1f} points ({low:+.1f} to {high:+.1f})"


def _fewer_parameters(figures: Figures) -> Verdict:
    rows = figures["rows"]
    gru, lstm = (rows[cell]["parameters"] for cell in ("gru", "lstm"))
    ratio = gru["recurrent"] / lstm["recurrent"]
    return Verdict(
        "A GRU has three quarters of the recurrent parameters of an LSTM.",
        HOLDS if ratio == 0.75 else FAILS,
        f"{gru['recurrent']:,} of {lstm['recurrent']:,}: {100 * ratio:.1f} %; of all parameters "
        f"{100 * gru['all'] / lstm['all']:.1f} %",
    )


def _comparable(claim: str, rate: str, key: str) -> Callable[[Figures], Verdict]:
    def verdict(figures: Figures) -> Verdict:
        gru, lstm = (_seed_rates(figures, cell, rate) for cell in ("gru", "lstm"))
        versus = _versus(figures, "lstm", key)
        spread = max(max(rates) - min(rates) for rates in (gru, lstm))
        difference = float(np.mean(gru) - np.mean(lstm))
        return Verdict(
            claim,
            FAILS if difference > spread and versus["significant"] else HOLDS,
            f"mean of {len(gru)} and {len(lstm)} seeds: {np.mean(gru):.1f} and "
            f"{np.mean(lstm):.1f} %; seeds differ by up to {spread:.1f} points; "
            + _difference(figures, "lstm", key),
        )

    return verdict


def _at_equal_parameters(figures: Figures) -> Verdict:
    claim = "At equal parameters, a GRU makes fewer errors than an LSTM."
    worse = _matters(figures, "lstm-narrow")
    gru, lstm = (figures["rows"][name]["parameters"]["all"] for name in ("gru", "lstm-narrow"))
    if abs(lstm - gru) > EQUAL * gru:
        return Verdict(claim, NOT_MEASURED, f"parameters differ: {gru:,} and {lstm:,}")
    return Verdict(
        claim,
        {1: HOLDS, 0: NO_DIFFERENCE, -1: FAILS}[worse],
        _difference(figures, "lstm-narrow"),
    )


def _less_compute(figures: Figures) -> Verdict:
    rows, speed = figures["rows"], figures["speed"]
    ratio = rows["gru"]["parameters"]["matrices"] / rows["lstm"]["parameters"]["matrices"]
    faster = {
        form: speed["gru"][form] / speed["lstm"][form]
        for form in ("training torch", "float32", "int8")
    }
    training = speed["gru"]["training float32"] / speed["lstm"]["training torch"]
    verdict = HOLDS if ratio < 1 and min(faster.values()) > 1 else FAILS
    if ratio < 1 and verdict == FAILS and faster["int8"] > 1:
        verdict = "holds for recognition; training depends on the implementation"
    listed = ", ".join(f"{form} {value:.2f}" for form, value in faster.items())
    return Verdict(
        "A GRU needs less compute than an LSTM.",
        verdict,
        f"{100 * ratio:.0f} % of the multiplications of the recurrent layers; speed relative to "
        f"the LSTM: {listed}; training with the package's own GRU kernel {training:.2f}",
    )


def _rnn_worse(figures: Figures) -> Verdict:
    names = ("rnn", "rnn-wide")
    return Verdict(
        "Gates are worth their parameters: a plain RNN makes more errors than a GRU.",
        _are_worse(figures, {name: name for name in names}),
        "; ".join(_difference(figures, name) for name in names),
    )


def _vanishes(figures: Figures) -> Verdict:
    reach = figures["reach"]
    before, after = (
        {cell: horizon(np.array(reach[kind][cell])) for cell in CELLS}
        for kind in ("initial", "trained")
    )
    uniform = horizon(np.array(reach["initial"]["rnn-uniform"]))
    others = min(after["gru"], after["lstm"])
    return Verdict(
        "In a plain RNN the gradient vanishes sooner than in gated cells.",
        HOLDS if after["rnn"] < others else FAILS,
        f"frames back at which {100 * VISIBLE:.0f} % of the largest norm is left, before and after "
        "training: "
        + ", ".join(f"`{cell}` {before[cell]} and {after[cell]}" for cell in CELLS)
        + f"; `rnn-uniform` {uniform} before",
    )


def _explodes(figures: Figures) -> Verdict:
    scaled = figures["reach"]["scaled"]
    growth = {name: max(norms) / norms[0] for name, norms in scaled.items()}
    rows = figures["rows"]
    largest = {
        cell: rows[f"{cell}-no-clip"]["gradient"]["largest"]
        for cell in CELLS
        if f"{cell}-no-clip" in rows
    }
    return Verdict(
        "In a plain RNN the gradient can explode.",
        HOLDS if growth["rnn x 2"] >= EXPLODES else FAILS,
        "growth on the way back with scaled recurrent matrices: "
        + ", ".join(f"`{name}` {value:.2g}" for name, value in growth.items())
        + "; largest gradient norm of a step in training without clipping: "
        + ", ".join(f"`{cell}` {value:.3g}" for cell, value in largest.items()),
    )


def _worth(what: str, suffix: str, rows: Sequence[str]) -> Callable[[Figures], Verdict]:
    def verdict(figures: Figures) -> Verdict:
        names = [f"{row}-{suffix}" for row in rows]
        found = [name for name in names if name in figures["rows"] or _diverged(figures, name)]
        if not found:
            raise KeyError(names[0])
        return Verdict(
            f"{what} lowers the error rate.",
            _are_worse(figures, {name: baseline(name) for name in found}),
            "without it " + "; ".join(_difference(figures, name) for name in found),
        )

    return verdict


def _hybrid(what: str, name: str) -> Callable[[Figures], Verdict]:
    def verdict(figures: Figures) -> Verdict:
        rows = figures["rows"]
        more = rows[name]["parameters"]["all"] - rows["gru"]["parameters"]["all"]
        matters = _matters(figures, name)
        return Verdict(
            f"{what} lowers the error rate of a GRU.",
            {1: FAILS, 0: NO_DIFFERENCE, -1: HOLDS}[matters],
            f"{_difference(figures, name)} for {more:+,} parameters",
        )

    return verdict


def _adam(figures: Figures) -> Verdict:
    rows = figures["rows"]
    names = {"Adam": "gru", "RMSProp": "gru-rmsprop", "SGD": "gru-sgd", "Muon": "gru-muon"}
    others = [label for label, name in names.items() if name in rows and label != "Adam"]
    if not others:
        raise KeyError("gru-rmsprop")
    better = [label for label in others if _matters(figures, names[label]) < 0]
    missing = [label for label, name in names.items() if name not in rows]
    return Verdict(
        f"For a GRU, Adam makes no more errors than {', '.join(others)}.",
        f"{FAILS}: {', '.join(better)}" if better else HOLDS,
        f"Adam {rows['gru']['rate']:.1f} %; "
        + "; ".join(_difference(figures, names[label]) for label in others)
        + (f"; {NOT_MEASURED}: {', '.join(missing)}" if missing else ""),
    )


def _gates(figures: Figures) -> Verdict:
    best: dict[str, tuple[float, str]] = {}
    for number, layer in enumerate(figures["gates"], 1):
        for gate, events in layer.items():
            for event, values in events.items():
                value, lag = strongest(values["mean"])
                where = f"{gate} gate of layer {number}, {lag:+d} frames"
                best[event] = max(
                    best.get(event, (0.0, "")), (value, where), key=lambda one: abs(one[0])
                )
    clear = [event for event, (value, _) in best.items() if abs(value) >= CLEAR_CORRELATION]
    named = HOLDS if len(clear) == len(best) else f"holds for {', '.join(clear)}"
    return Verdict(
        "The gates can be interpreted: on average they follow silence, word ends and long vowels.",
        named if clear else FAILS,
        "; ".join(f"{event} {value:+.2f} ({where})" for event, (value, where) in best.items())
        + f"; a correlation of {CLEAR_CORRELATION} counts",
    )


CLAIMS: dict[str, Callable[[Figures], Verdict]] = {
    "three quarters of an LSTM's recurrent parameters": _fewer_parameters,
    "as few errors as an LSTM": _comparable(
        "A GRU makes as few errors as an LSTM of the same width.", "rate", "versus"
    ),
    "as few word errors as an LSTM": _comparable(
        "The same with the lexicon and the language model.", "WER", "words versus"
    ),
    "fewer errors than an LSTM at equal parameters": _at_equal_parameters,
    "less compute than an LSTM": _less_compute,
    "fewer errors than a plain RNN": _rnn_worse,
    "the plain RNN's gradient vanishes": _vanishes,
    "the plain RNN's gradient explodes": _explodes,
    "clipping": _worth("Clipping the gradient", "no-clip", [*CELLS, "gru-sgd", "rnn-sgd"]),
    "orthogonal initialisation": _worth("Orthogonal initialisation", "uniform", CELLS),
    "dropout": _worth("Dropout", "no-dropout", CELLS),
    "a convolutional front end": _hybrid("A convolutional front end", "gru-conv"),
    "self-attention on top": _hybrid("Self-attention on top", "gru-attention"),
    "Adam": _adam,
    "interpretable gates": _gates,
}
"""Judges of the claims, by what they are about."""


def judge(figures: Figures) -> Iterator[Verdict]:
    """Yield a verdict for each claim; those whose rows were left out are not measured."""
    for about, claim in CLAIMS.items():
        try:
            yield claim(figures)
        except KeyError as missing:
            yield Verdict(about, NOT_MEASURED, f"needs {missing}")
