"""``asr-gru live`` on PortAudio on a PulseAudio server with a virtual microphone."""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

READ = Path(__file__).parents[2] / "audio_samples" / "read.flac"
MISSING = [name for name in ("pulseaudio", "pactl", "paplay") if not shutil.which(name)]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
LONGEST_S = 20


class Server:
    """A separate sound server, whose microphone records its loudspeaker."""

    def __init__(self, folder):
        (folder / "run").mkdir(mode=0o700)
        (folder / ".asoundrc").write_text("pcm.!default {type pulse}\nctl.!default {type pulse}\n")
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder / "run"),
            "XDG_CONFIG_HOME": str(folder),
        }
        self.environment.pop("PULSE_SERVER", None)
        self.process = subprocess.Popen(
            [
                *("pulseaudio", "--daemonize=no", "--exit-idle-time=-1", "-n"),
                "--load=module-native-protocol-unix",
            ],
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + LONGEST_S
        while self.call("pactl", "info", check=False).returncode:
            if time.monotonic() > end or self.process.poll() is not None:
                pytest.skip("pulseaudio does not start here")
            time.sleep(0.1)

    def call(self, *arguments, check=True):
        return subprocess.run(
            arguments,
            env=self.environment,
            check=check,
            timeout=LONGEST_S,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def plug(self):
        speaker = ["sink_name=speaker", "rate=48000", "channels=1"]
        self.call("pactl", "load-module", "module-null-sink", *speaker)
        mic = ["source_name=mic", "master=speaker.monitor"]
        self.call("pactl", "load-module", "module-remap-source", *mic)
        self.call("pactl", "set-default-source", "mic")

    def unplug(self):
        self.call("pactl", "unload-module", "module-remap-source")
        self.call("pactl", "unload-module", "module-null-sink")

    def play(self):
        self.call("paplay", "--device=speaker", str(READ))

    def close(self):
        self.process.terminate()
        self.process.wait(LONGEST_S)


@pytest.fixture
def server(tmp_path):
    probe = "import sounddevice"
    if subprocess.run([sys.executable, "-c", probe], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("PortAudio is not installed")
    with contextlib.closing(Server(tmp_path)) as server:
        yield server


class Live:
    """The running command, with its output line by line."""

    def __init__(self, server, *arguments):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "asr_gru", "live", *map(str, arguments)],
            env=server.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines = queue.Queue()
        self.output = []
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)

    def wait_for(self, wanted):
        """Return the next line for which ``wanted`` is true."""
        while True:
            try:
                line = self.lines.get(timeout=LONGEST_S)
            except queue.Empty:
                pytest.fail(f"no further output after {self.output}")
            self.output.append(line)
            if wanted(line):
                return line

    def close(self):
        self.process.kill()
        self.process.wait(LONGEST_S)
        self.reader.join(LONGEST_S)
        self.process.stdout.close()


def is_text(line):
    return not line.startswith("asr-gru:") and bool(line.strip())


def test_a_microphone_is_lost_and_restored(server, tmp_path):
    server.plug()
    path = tmp_path / "a.txt"
    with contextlib.closing(Live(server, "--output", path)) as live:
        live.wait_for(lambda line: "listening to default" in line)
        time.sleep(2)  # the server may delay the first sample
        server.play()
        live.wait_for(is_text)
        server.unplug()
        live.wait_for(lambda line: "lost: microphone 'default'" in line)
        server.plug()
        assert "44100 Hz" in live.wait_for(lambda line: "restored after" in line)
        time.sleep(2)
        server.play()
        live.wait_for(is_text)
        live.process.send_signal(signal.SIGINT)
        assert live.process.wait(LONGEST_S) == 0
        live.reader.join(LONGEST_S)
        lines = live.output + list(live.lines.queue)
    assert all(line.startswith("asr-gru: ") or is_text(line) for line in lines), lines
    assert path.read_text() == "".join(line for line in lines if is_text(line))


def test_devices_are_listed_and_wrong_ones_refused(server):
    server.plug()

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "asr_gru", "live", *arguments],
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    listed = call("--list-devices")
    assert listed.returncode == 0
    assert "default, ALSA: 44100 Hz" in listed.stdout
    assert listed.stderr == ""
    refused = call("--device", "no such microphone")
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "(default, ALSA)" in refused.stderr
