"""Recognisers that fail, or wait, at a chosen point."""

import threading


class FaultyRecognizer:
    """As ``recognizer``, but what runs at ``rate`` raises ``error`` in ``method``.

    ``method`` is one of a stream (``accept``, ``finish``), ``step`` of the acoustic model (which
    fails once for all, when the first stream at ``rate`` has audio), or ``transcribe``, which
    fails the first time.
    """

    def __init__(self, recognizer, method, error, rate=24_000):
        self._recognizer = recognizer
        self._method = method
        self._error = error
        self._rate = rate
        self._armed = method == "transcribe"
        self.acoustic = _FaultyAcoustic(recognizer.acoustic, self)

    def __getattr__(self, name):
        return getattr(self._recognizer, name)

    def stream(self, sample_rate, *arguments, **options):
        stream = self._recognizer.stream(sample_rate, *arguments, **options)
        if sample_rate == self._rate:
            if self._method == "step":
                self._armed = True
            else:
                setattr(stream.engine, self._method, self.fail)
        return stream

    def transcribe(self, *arguments, **options):
        self.fail_once()
        return self._recognizer.transcribe(*arguments, **options)

    def fail(self, *_):
        raise self._error("made to fail")

    def fail_once(self):
        if self._armed:
            self._armed = False
            raise self._error("made to fail")


class WaitingRecognizer:
    """As ``recognizer``, but ``transcribe`` waits for ``may_go``; ``waiting`` counts its calls."""

    def __init__(self, recognizer):
        self._recognizer = recognizer
        self.may_go = threading.Event()
        self.waiting = 0

    def __getattr__(self, name):
        return getattr(self._recognizer, name)

    def transcribe(self, *arguments, **options):
        self.waiting += 1
        self.may_go.wait(60)
        return self._recognizer.transcribe(*arguments, **options)


class _FaultyAcoustic:
    def __init__(self, acoustic, owner):
        self._acoustic = acoustic
        self._owner = owner

    def __getattr__(self, name):
        return getattr(self._acoustic, name)

    def step(self, *arguments):
        self._owner.fail_once()
        return self._acoustic.step(*arguments)
