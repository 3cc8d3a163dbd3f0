"""Forecast a time series with the recurrent stack: hourly demand for power, a day ahead.

    python -m recipes.sequences.forecast

The series is simulated (``power_demand.py``), so the lowest possible error is known.

Every method forecasts the next 24 hours at each hour of the last year, from the series and the
calendar alone. The GRU reads that year as a single stream.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from recipes.command_line import needed, one_line_errors, whole_number
from recipes.sequences.power_demand import (
    DAY,
    HORIZON,
    WEEK,
    YEAR,
    Series,
    known_forecast,
    simulate,
)

with needed(__name__, "train"):
    import torch
    from torch import Tensor, nn
    from torch.nn import functional as F

    from asr_gru.nn.recurrent import State
    from asr_gru.training.config import OptimiserConfig
    from recipes.cells.pictures import save
    from recipes.sequences.stack import RecurrentStack, fastest_kernel, train_steps

__all__ = ["Forecaster", "ar_forecast", "main", "naive_forecast"]

Floats = npt.NDArray[np.float64]
Hours = npt.NDArray[np.int64]
WINDOW, WARM_UP = 3 * WEEK, 2 * DAY
"""Hours of a training window, and how many of its first forecasts are not trained."""
BATCH = 16
RIDGE = 1.0


def following(demand: Floats, origins: Hours) -> Floats:
    """Return the hours that follow each origin, ``(n, HORIZON)``."""
    return demand[origins[:, None] + np.arange(1, HORIZON + 1)]


def naive_forecast(demand: Floats, origins: Hours, period: int) -> Floats:
    """Forecast the values of one ``period`` earlier, ``(n, HORIZON)``: seasonal naive."""
    return following(demand, origins - period)


def calendar(hours: Hours) -> Floats:
    """Return sine and cosine of half a day, a day, a week and a year, ``(hours, 8)``."""
    angles = 2 * np.pi * hours[:, None] / np.array([DAY / 2, DAY, WEEK, YEAR])
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)


def ar_forecast(demand: Floats, train_hours: int, origins: Hours, lags: int = WEEK) -> Floats:
    """Forecast by linear regression on the last ``lags`` hours and the calendar.

    One regression per hour ahead, fitted by least squares with a small ridge on the first
    ``train_hours`` hours.
    """
    mean, scale = demand[:train_hours].mean(), demand[:train_hours].std()
    values = (demand - mean) / scale

    def inputs(at: Hours) -> Floats:
        past = values[at[:, None] - np.arange(lags)]
        return np.concatenate([past, calendar(at), np.ones((len(at), 1))], axis=1)

    fitted = np.arange(lags - 1, train_hours - HORIZON)
    x, y = inputs(fitted), following(values, fitted)
    weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    return inputs(origins) @ weights * scale + mean


class Forecaster(nn.Module):
    """Linear layer, recurrent stack, and a linear layer to the differences of the next hours."""

    def __init__(
        self, inputs: int, layers: int, width: int, kernel_dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        self.input = nn.Linear(inputs, width)
        self.stack = RecurrentStack(layers, width, dropout=0.1, kernel_dtype=kernel_dtype)
        self.output = nn.Linear(width, HORIZON)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return forecasts ``(hours, batch, HORIZON)`` and the next state."""
        y, state = self.stack(self.input(x), state or self.stack.start(x.shape[1]))
        return x[..., :1] + self.output(y), state


class GruForecast:
    """A trained ``Forecaster`` with the scale of its series."""

    def __init__(
        self, demand: Floats, train_hours: int, layers: int, width: int, steps: int
    ) -> None:
        """Train on the first ``train_hours`` hours, in random windows."""
        self.mean, self.scale = demand[:train_hours].mean(), demand[:train_hours].std()
        torch.manual_seed(1)
        x = self._inputs(demand)[:train_hours]
        y = x[:, 0].unfold(0, HORIZON, 1)[1:]  # (hours, HORIZON): what follows each hour
        self.net = Forecaster(x.shape[1], layers, width, fastest_kernel(width))
        random = np.random.default_rng(1)

        def loss_of(_step: int) -> Tensor:
            starts = random.integers(len(y) - WINDOW, size=BATCH)
            windows = torch.from_numpy(starts[None] + np.arange(WINDOW)[:, None])
            found, _ = self.net(x[windows])
            return F.mse_loss(found[WARM_UP:], y[windows][WARM_UP:])

        config = OptimiserConfig(learning_rate=5e-3, warmup_steps=min(50, steps // 5), ema=0.0)
        train_steps(self.net, loss_of, steps, config=config)
        self.net.eval()

    def _inputs(self, demand: Floats) -> Tensor:
        values = (demand - self.mean) / self.scale
        inputs = np.concatenate([values[:, None], calendar(np.arange(len(demand)))], axis=1)
        return torch.from_numpy(inputs.astype(np.float32))

    @torch.no_grad()
    def __call__(self, demand: Floats, origins: Hours) -> Floats:
        """Read the whole series as a stream, a week at a time; return forecasts at ``origins``."""
        state, rows = None, []
        for piece in self._inputs(demand)[:, None].split(WEEK):
            forecasts, state = self.net(piece, state)
            rows.append(forecasts[:, 0])
        return torch.cat(rows).double().numpy()[origins] * self.scale + self.mean


def draw(
    series: Series,
    origins: Hours,
    forecasts: Mapping[str, Floats],
    errors: Mapping[str, Floats],
    path: Path,
) -> None:
    """Draw forecasts on a holiday morning, and errors over the hours ahead."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.8), layout="constrained")
    days, curves = figure.subplots(1, 2, width_ratios=(3, 2))
    mornings = (origins % DAY == 8) & series.holiday[origins] & ~series.holiday[origins - WEEK]
    place = int(np.flatnonzero(mornings)[0]) if mornings.any() else len(origins) // 2
    origin = int(origins[place])
    shown = np.arange(origin - 2 * DAY, origin + HORIZON + 1)
    days.plot(shown - origin, series.demand[shown], "k", label="demand", linewidth=1)
    for index, (name, rows) in enumerate(forecasts.items()):
        ahead = np.arange(1, HORIZON + 1)
        days.plot(ahead, rows[place], color=f"C{index}", label=name, linewidth=1.2)
        curves.plot(ahead, errors[name], color=f"C{index}", label=name)
    days.axvline(0, color="k", linestyle=":", linewidth=0.8)
    days.set_xlabel("hours from the forecast, at nine in the morning of a holiday")
    days.set_ylabel("demand")
    curves.set_xlabel("hours ahead")
    curves.set_ylabel("root mean square error")
    curves.set_ylim(bottom=0)
    days.legend(fontsize=8)
    save(figure, path)


@one_line_errors()
def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, train, print the errors of every method and draw them."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.sequences.forecast",
        description="Forecast a simulated series with GRU layers, beside simpler methods.",
    )
    parser.add_argument("--years", type=int, default=3, help="years; the last one is forecast")
    parser.add_argument("--steps", type=whole_number, default=400, help="training steps")
    parser.add_argument("--layers", type=whole_number, default=2, help="recurrent layers")
    parser.add_argument("--width", type=whole_number, default=64, help="units per layer")
    parser.add_argument("--seed", type=int, default=1, help="seed of the series")
    parser.add_argument("--picture", type=Path, help="PNG file to draw")
    options = parser.parse_args(argv)
    if options.years < 2 or options.seed < 0:
        parser.error("--years has to be 2 or more, --seed 0 or more")
    hours = options.years * YEAR
    series = simulate(hours, options.seed)
    demand, train_hours = series.demand, hours - YEAR
    origins = np.arange(train_hours, hours - HORIZON)
    began = time.process_time()
    gru = GruForecast(demand, train_hours, options.layers, options.width, options.steps)
    size = sum(p.numel() for p in gru.net.parameters())
    seconds = time.process_time() - began
    print(f"{train_hours} hours to train on, {size} parameters, {seconds:.0f} CPU seconds")
    forecasts = {
        "a day earlier": naive_forecast(demand, origins, DAY),
        "a week earlier": naive_forecast(demand, origins, WEEK),
        "linear (AR)": ar_forecast(demand, train_hours, origins),
        "GRU": gru(demand, origins),
        "process known": known_forecast(series, origins),
    }
    truth = following(demand, origins)
    errors = {name: np.sqrt(((rows - truth) ** 2).mean(axis=0)) for name, rows in forecasts.items()}
    print(f"{'RMSE, hours ahead':<20}{'1':>8}{'6':>8}{'24':>8}{'1 to 24':>10}")
    for name, rows in errors.items():
        whole = float(np.sqrt((rows**2).mean()))
        print(f"{name:<20}{rows[0]:>8.2f}{rows[5]:>8.2f}{rows[23]:>8.2f}{whole:>10.2f}")
    if options.picture:
        draw(series, origins, forecasts, errors, options.picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
