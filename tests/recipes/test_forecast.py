"""The forecast of a simulated series."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.sequences import forecast, power_demand

LARGEST_PICTURE = 80_000


def test_the_series_has_its_week_and_its_holidays():
    series = power_demand.simulate(20 * power_demand.WEEK)
    again = power_demand.simulate(20 * power_demand.WEEK)
    np.testing.assert_array_equal(series.demand, again.demand)
    days = series.holiday.reshape(-1, power_demand.DAY)
    assert (days == days[:, :1]).all()
    assert 0 < days[:, 0].sum() < 10
    assert not days[:, 0].reshape(-1, 7)[:, 5:].any()
    morning = series.demand[8 :: power_demand.DAY].reshape(-1, 7)
    plain = ~days[:, 0].reshape(-1, 7)
    assert morning[:, :5][plain[:, :5]].mean() > morning[:, 5:].mean() + 20


def test_a_forecast_sees_nothing_of_what_it_forecasts():
    series = power_demand.simulate(12 * power_demand.WEEK)
    fitted = 10 * power_demand.WEEK
    origins = np.array([fitted + 5, fitted + 60])
    changed = series.demand.copy()
    changed[fitted + 61 :] += 50.0
    gru = forecast.GruForecast(series.demand, fitted, 1, 8, 3)
    for method in (
        lambda demand: forecast.naive_forecast(demand, origins, power_demand.DAY),
        lambda demand: forecast.ar_forecast(demand, fitted, origins),
        lambda demand: gru(demand, origins),
    ):
        found = method(series.demand)
        assert found.shape == (2, power_demand.HORIZON)
        np.testing.assert_array_equal(found, method(changed))
        before = series.demand.copy()
        before[origins - power_demand.DAY + 3] += 50.0
        assert not np.allclose(found, method(before))


def test_a_linear_series_is_forecast_by_the_linear_method():
    hours = np.arange(8 * power_demand.WEEK)
    demand = 100 + 10 * np.sin(2 * np.pi * hours / power_demand.DAY)
    origins = np.arange(7 * power_demand.WEEK, 8 * power_demand.WEEK - power_demand.HORIZON)
    found = forecast.ar_forecast(demand, 6 * power_demand.WEEK, origins)
    np.testing.assert_allclose(found, forecast.following(demand, origins), atol=0.1)
    np.testing.assert_allclose(
        forecast.naive_forecast(demand, origins, power_demand.DAY), found, atol=0.1
    )


def test_no_method_beats_the_known_process():
    series = power_demand.simulate(30 * power_demand.WEEK, seed=3)
    origins = np.arange(20 * power_demand.WEEK, 29 * power_demand.WEEK, 5)
    truth = forecast.following(series.demand, origins)
    known = power_demand.known_forecast(series, origins, draws=100)
    error = ((known - truth) ** 2).mean()
    for other in (
        forecast.naive_forecast(series.demand, origins, power_demand.WEEK),
        forecast.ar_forecast(series.demand, 20 * power_demand.WEEK, origins),
    ):
        assert error < ((other - truth) ** 2).mean()
    assert ((known[:, 0] - truth[:, 0]) ** 2).mean() == pytest.approx(1.0, rel=0.25)  # the noise


def test_the_forecast_command(tmp_path, capsys):
    path = tmp_path / "forecast.png"
    arguments = ["--years", "2", "--steps", "2", "--width", "8", "--layers", "1"]
    assert forecast.main([*arguments, "--picture", str(path)]) == 0
    rows = {line[:20].strip(): line[20:].split() for line in capsys.readouterr().out.splitlines()}
    assert {"a day earlier", "a week earlier", "linear (AR)", "GRU", "process known"} < set(rows)
    assert float(rows["process known"][3]) < float(rows["linear (AR)"][3])
    assert path.stat().st_size < LARGEST_PICTURE
    with pytest.raises(SystemExit):
        forecast.main(["--years", "1"])
    assert "2 or more" in capsys.readouterr().err
