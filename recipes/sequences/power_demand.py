"""A simulated series: hourly demand for power, with its hidden causes.

It has daily profiles of workdays and weekends, hidden weather that moves demand in the cold and in
the heat only, and public holidays, which look like Sundays and are not known in advance. As the
process is known, so is the error of a forecast from its whole state; no method can be better.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["DAY", "HORIZON", "WEEK", "YEAR", "Series", "known_forecast", "simulate"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Hours = npt.NDArray[np.int64]
Hidden = tuple[Floats, Floats, Floats]
DAY, WEEK, YEAR = 24, 168, 8736
HORIZON = DAY
"""Hours that are forecast."""

PHI_WEATHER, PHI_NOISE, INERTIA = 0.985, 0.8, 0.1
HOLIDAY = 0.03
"""Probability that a workday is a holiday."""


class Series(NamedTuple):
    """A simulated series, each ``(hours,)``; only ``demand`` may be used to forecast.

    Attributes:
        demand: what is observed.
        weather: deviation of the temperature from the season, in degrees.
        felt: temperature that demand responds to, which follows that outside with a lag.
        noise: the part of demand without a cause.
        holiday: whether the day is a holiday.
    """

    demand: Floats
    weather: Floats
    felt: Floats
    noise: Floats
    holiday: Bools


def season(hours: Hours) -> Floats:
    """Return the usual temperature of each hour, in degrees."""
    year = -12 * np.cos(2 * np.pi * hours / YEAR)
    return 13 + year - 4 * np.cos(2 * np.pi * (hours % DAY - 3) / DAY)


def profile(hours: Hours, holiday: Bools) -> Floats:
    """Return the demand of each hour at mild temperatures."""
    hour = hours % DAY
    morning, evening = (np.exp(-(((hour - peak) / 2.5) ** 2)) for peak in (8, 19))
    late = np.exp(-(((hour - 11) / 3.0) ** 2))
    workday = 60 + 25 * morning + 22 * evening + 12 * ((hour >= 7) & (hour < 18))
    at_home = 55 + 14 * late + 24 * evening
    return np.where(holiday | (hours // DAY % 7 >= 5), at_home, workday)


def response(felt: Floats) -> Floats:
    """Return the demand for heating below 14 degrees and cooling above 21."""
    return 1.6 * np.maximum(0, 14 - felt) + 2.4 * np.maximum(0, felt - 21)


def draw_holidays(days: Hours, random: np.random.Generator) -> Bools:
    """Draw which days are holidays; Saturdays and Sundays never are."""
    return (random.random(days.shape) < HOLIDAY) & (days % 7 < 5)


def step(hour: Hours, state: Hidden, random: np.random.Generator) -> Hidden:
    """Return weather, felt temperature and noise of ``hour`` from those of the hour before."""
    weather, felt, noise = state
    weather = PHI_WEATHER * weather + random.normal(0, 0.7, weather.shape)
    felt = felt + INERTIA * (season(hour) + weather - felt)
    return weather, felt, PHI_NOISE * noise + random.normal(0, 1.0, noise.shape)


def simulate(hours: int, seed: int = 1) -> Series:
    """Simulate a series from the first hour of a Monday in winter."""
    random = np.random.default_rng(seed)
    clock = np.arange(hours)
    states = np.zeros((3, hours))
    state = np.zeros(1), season(np.zeros(1, np.int64)), np.zeros(1)
    for hour in range(hours):
        state = step(np.array([hour]), state, random)
        states[:, hour] = np.concatenate(state)
    holiday = draw_holidays(np.arange(-(-hours // DAY)), random).repeat(DAY)[:hours]
    demand = profile(clock, holiday) + response(states[1]) + states[2]
    return Series(demand, states[0], states[1], states[2], holiday)


def known_forecast(series: Series, origins: Hours, draws: int = 50) -> Floats:
    """Return the mean of simulated futures from the hidden state at each origin.

    Args:
        series: the series with its hidden state.
        origins: hours whose following ``HORIZON`` hours are wanted, ``(n,)``.
        draws: futures per origin.

    Returns:
        ``(n, HORIZON)``.
    """
    random = np.random.default_rng(7)
    shape = (len(origins), draws)
    weather, felt, noise = (
        np.broadcast_to(values[origins, None], shape)
        for values in (series.weather, series.felt, series.noise)
    )
    state = weather, felt, noise
    tomorrow = np.broadcast_to(origins[:, None] // DAY + 1, shape)
    holidays = draw_holidays(tomorrow, random)
    means = np.zeros((len(origins), HORIZON))
    for ahead in range(1, HORIZON + 1):
        hour = origins[:, None] + ahead
        state = step(hour, state, random)
        today = hour // DAY == origins[:, None] // DAY
        holiday = np.where(today, series.holiday[origins, None], holidays)
        demand = profile(hour, holiday) + response(state[1]) + state[2]
        means[:, ahead - 1] = demand.mean(axis=1)
    return means
