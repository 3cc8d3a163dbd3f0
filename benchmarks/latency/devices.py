"""Through PulseAudio's virtual microphone, and through the page in a headless Chromium."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from asr_gru import DeviceError, EndpointRules, Error, Event, Recognizer
from asr_gru.audio.blocks import AudioSource, Block
from asr_gru.live import LiveSession
from benchmarks._processes import pin, serving
from benchmarks.latency.paths import Played
from benchmarks.latency.words import seen_event, seen_message
from recipes.command_line import needed

__all__ = ["SoundClock", "place", "through_microphone", "through_page"]

LOW_RATE = 8_000
HEAD_S = 15.0
Samples = npt.NDArray[np.float32]


def place(heard: Samples, played: Samples) -> float:
    """Return at which sample of ``heard`` ``played`` begins, by cross-correlation."""
    size = 1 << (len(heard) + len(played)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    lags = np.fft.irfft(spectrum, size)
    best = int(np.argmax(np.abs(lags)))
    return best - size if best > size // 2 else best


@dataclass(frozen=True, slots=True)
class SoundClock:
    """When each sample of a source came, at the earliest: ``zero_s + place * pace``.

    Attributes:
        zero_s: when the first one came.
        pace: seconds of the clock on the wall for each second of sound.
    """

    zero_s: float
    pace: float

    @classmethod
    def of(cls, blocks: Sequence[tuple[float, int]], rate: int) -> SoundClock:
        """Fit it to blocks, given as the time at which each came and how many samples it had."""
        ends_s = np.cumsum([count for _, count in blocks]) / rate
        came_s = np.array([at_s for at_s, _ in blocks])
        settled = ends_s >= ends_s[-1] * 0.05  # the first ones come as they like
        late_s = came_s - ends_s
        slope = np.polyfit(ends_s[settled], late_s[settled], 1)[0]
        return cls(float(np.min((late_s - slope * ends_s)[settled])), 1.0 + float(slope))

    def sound_s(self, wall_s: float) -> float:
        """Return which second of the sound came at ``wall_s``."""
        return (wall_s - self.zero_s) / self.pace

    def arrivals(
        self, blocks: Sequence[tuple[float, int]], rate: int
    ) -> tuple[tuple[float, float], ...]:
        """Return the end of each block, and when it came, in seconds of the sound."""
        ends_s = np.cumsum([count for _, count in blocks]) / rate
        came_s = [self.sound_s(at_s) for at_s, _ in blocks]
        return tuple(zip(ends_s.tolist(), came_s, strict=True))


@contextmanager
def sound_server() -> Iterator[None]:
    """Run a PulseAudio whose microphone hears its loudspeaker, for this process.

    Raises:
        DeviceError: PulseAudio is not installed, or does not start.
    """
    for program in ("pulseaudio", "pactl", "paplay"):
        if shutil.which(program) is None:
            raise DeviceError(f"{program} is not installed; install pulseaudio and its utilities")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "run").mkdir(mode=0o700)
        (home / ".asoundrc").write_text("pcm.!default {type pulse}\nctl.!default {type pulse}\n")
        before = dict(os.environ)
        os.environ.update(HOME=folder, XDG_RUNTIME_DIR=str(home / "run"), XDG_CONFIG_HOME=folder)
        os.environ.pop("PULSE_SERVER", None)
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen(
            [
                *("pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n"),
                "--load=module-native-protocol-unix",
                "--load=module-null-sink sink_name=speaker rate=48000 channels=1",
                "--load=module-remap-source source_name=mic master=speaker.monitor",
            ],
            **quiet,
        )
        try:
            for _ in range(100):
                if not subprocess.run(["pactl", "set-default-source", "mic"], **quiet).returncode:
                    break
                time.sleep(0.1)
            else:
                raise DeviceError("PulseAudio has no microphone after 10 s; try pulseaudio -n")
            yield
        finally:
            server.kill()  # it holds nothing that is worth saving
            server.wait()
            os.environ.clear()
            os.environ.update(before)


class Tap:
    """A source that keeps what went through it."""

    def __init__(self, source: AudioSource) -> None:
        self._source = source
        self.sample_rate = source.sample_rate
        self.description = source.description
        self.close = source.close
        self.reopen = source.reopen
        self.blocks: list[Block] = []

    def read(self, timeout_s: float, min_samples: int = 1) -> Block | None:
        block = self._source.read(timeout_s, min_samples)
        if block is not None:
            self.blocks.append(block)
        return block


def through_microphone(
    recognizer: Recognizer, core: int | None, path: Path, rules: EndpointRules
) -> Played:
    """Play into a virtual microphone that a live session listens to.

    Raises:
        DeviceError: there is no PulseAudio, or the recording was not heard whole.
    """
    length_s = soundfile.info(path).duration
    with sound_server():
        from asr_gru.audio.microphone import Microphone

        microphone = Tap(Microphone())
        pin(core)
        session = LiveSession(recognizer, microphone, rules)

        def play() -> None:
            time.sleep(2.0)  # the sound server takes its time before the first sample
            subprocess.run(["paplay", "--device=speaker", str(path)], check=False)
            time.sleep(1.0)
            session.stop()  # also if nothing was played, or the session would never end

        player = threading.Thread(target=play)
        player.start()
        with session:
            events = [(record, time.monotonic()) for record in session if isinstance(record, Event)]
        player.join()
    rate = microphone.sample_rate
    if any(block.dropped for block in microphone.blocks):
        raise DeviceError("the recogniser was too slow and lost audio; stop other programs")
    heard = np.concatenate([block.samples for block in microphone.blocks])
    blocks = [(block.arrived_s, len(block.samples)) for block in microphone.blocks]
    clock = SoundClock.of(blocks, rate)
    offset_s = place(_low(heard, rate), _head(path)) / LOW_RATE
    if not 0 < offset_s < len(heard) / rate - length_s + 1:
        raise DeviceError("the microphone did not hear the whole recording; stop other programs")
    note = f"{microphone.description}; its clock is {100 * (clock.pace - 1):.2f} % slow"
    seen = [seen_event(event, clock.sound_s(at_s) - offset_s) for event, at_s in events]
    return Played(seen, rate, offset_s, note=note, arrivals=clock.arrivals(blocks, rate))


def _low(samples: Samples, rate: int) -> Samples:
    import soxr

    low: Samples = soxr.resample(samples, rate, LOW_RATE)
    return low


def _head(path: Path) -> Samples:
    samples, rate = soundfile.read(path, dtype="float32")
    return _low(samples[: round(HEAD_S * rate)], rate)


HOOK = """
window.noted = { sent: [], said: [], shown: [], head: [], rate: 0 };
const now = () => performance.now() / 1000;
const Real = window.WebSocket;
window.WebSocket = class extends Real {
  constructor(...given) {
    super(...given);
    this.addEventListener('message', ({ data }) => noted.said.push([now(), data]));
  }
  send(data) {
    if (typeof data === 'string') noted.rate = JSON.parse(data).sample_rate || noted.rate;
    else {
      noted.sent.push([now(), data.length]);
      if (noted.head.length * data.length < noted.rate * HEAD_S) noted.head.push([...data]);
    }
    super.send(data);
  }
};
document.addEventListener('DOMContentLoaded', () => {
  const watch = new MutationObserver(() => noted.shown.push(now()));
  watch.observe(document.getElementById('paper'),
    { subtree: true, childList: true, characterData: true, attributes: true });
});
"""


def through_page(model: str, core: int | None, path: Path, endpoint: str) -> Played:
    """Let a page in Chromium listen to a file; shown is when the page's document changed.

    Raises:
        Error: the server did not start, or the page sent no audio.
    """
    with needed(__name__, "dev"):
        from playwright.sync_api import sync_playwright

    length_s = soundfile.info(path).duration
    flags = [
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}%noloop",
    ]
    with serving("--model", model, core=core) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page()
        page.add_init_script(HOOK.replace("HEAD_S", str(HEAD_S + 5)))
        page.goto(f"http://127.0.0.1:{server.port}/")
        page.select_option("#endpoint", endpoint)
        page.click("#toggle")
        time.sleep(length_s + 2.0)
        noted = json.loads(page.evaluate("JSON.stringify(noted)"))
        browser.close()
    rate = int(noted["rate"])
    if not noted["head"]:
        raise Error("the page sent no audio; see whether Chromium opens its microphone")
    head = np.concatenate([np.array(block, np.float32) for block in noted["head"]])
    head /= 32768
    offset_s = place(_low(head, rate), _head(path)) / LOW_RATE
    clock = SoundClock.of(noted["sent"], rate)
    seen = []
    for at_s, text in noted["said"]:
        message = json.loads(text)
        if message["type"] in {"partial", "final"}:
            shown_s = next((time_s for time_s in noted["shown"] if time_s >= at_s), at_s)
            seen.append(seen_message(message, clock.sound_s(shown_s) - offset_s))
    note = f"{rate} Hz in the page; until its document changed, not until it was painted"
    arrivals = clock.arrivals(noted["sent"], rate)
    return Played(seen, rate, offset_s, note=note, arrivals=arrivals)
