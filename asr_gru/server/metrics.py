"""Metrics in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

SECONDS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12)


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        here = self.registry = CollectorRegistry()
        self.clients = Gauge("asr_gru_clients", "WebSockets open", registry=here)
        self.sessions = Counter(
            "asr_gru_sessions",
            "WebSockets admitted, by protocol",
            ["protocol"],
            registry=here,
        )
        self.refusals = Counter(
            "asr_gru_refusals", "Errors sent over WebSockets, by code", ["code"], registry=here
        )
        self.audio = Counter("asr_gru_audio_seconds", "Audio heard, by way", ["way"], registry=here)
        self.live_audio = self.audio.labels("stream")
        self.finals = Counter("asr_gru_segments", "Segments finished", registry=here)
        self._tick = Histogram(
            "asr_gru_tick_seconds", "Time of a tick", buckets=SECONDS, registry=here
        )
        self._lag = Histogram(
            "asr_gru_lag_seconds",
            "Seconds from the arrival of audio to its results",
            buckets=SECONDS,
            registry=here,
        )

    def ticked(self, seconds: float, lags_s: Iterable[float]) -> None:
        """Count a tick and the lag of each client in it."""
        self._tick.observe(seconds)
        for lag_s in lags_s:
            self._lag.observe(lag_s)

    def text(self) -> bytes:
        """Return all metrics."""
        return generate_latest(self.registry)
