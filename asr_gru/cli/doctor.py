"""``asr-gru doctor``: check the installation and say how to repair it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import subprocess
import sys
import time
from collections.abc import Callable

import click
import numpy as np

from asr_gru.audio.devices import list_microphones
from asr_gru.audio.ffmpeg import find_ffmpeg
from asr_gru.errors import DeviceError, Error, install_command
from asr_gru.model.directory import ModelDirectory
from asr_gru.model.info import DEFAULT_MODEL
from asr_gru.recognizer import Recognizer

__all__ = ["command"]

LIBRARIES = ["numpy", "onnxruntime", "soundfile", "soxr", "sounddevice", "click", "msgspec", "rich"]
EXTRAS = {
    "train": [
        *("torch", "torchaudio", "onnx", "sentencepiece", "filelock", "librosa", "matplotlib"),
        *("ninja", "tensorboard"),
    ],
    "server": [
        *("fastapi", "uvicorn", "websockets", "python-multipart", "cryptography"),
        *("fastapi-offline", "prometheus-client", "starlette"),
    ],
}
SECONDS = 10


@click.command("doctor")
@click.option(
    "--model", default=DEFAULT_MODEL, show_default=True, help="Bundled model, or a folder."
)
def command(model: str) -> int:
    """Check libraries, model and microphones, and run the model on a test signal."""
    click.echo(f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    failed = not _libraries()
    failed |= not _torchaudio()
    _ffmpeg()
    for check in (lambda: _model(model), lambda: _self_test(model)):
        failed |= not _try(check)
    _devices()
    return int(failed)


def _try(check: Callable[[], str]) -> bool:
    try:
        click.echo(f"ok       {check()}")
    except Error as error:
        click.echo(f"BROKEN   {error}")
        return False
    return True


def _libraries() -> bool:
    complete = True
    for name in LIBRARIES:
        if not _library(name):
            click.echo(f"BROKEN   {name} is not installed; {install_command()}")
            complete = False
    for extra, names in EXTRAS.items():
        for name in names:
            if not _library(name):
                click.echo(f"none     {name} (extra {extra}); {install_command(extra)}")
    return complete


def _library(name: str) -> bool:
    try:
        click.echo(f"ok       {name} {importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _torchaudio() -> bool:
    """Check that torchaudio, if it is installed, can be loaded beside the installed torch."""
    if not all(importlib.util.find_spec(name) for name in ("torch", "torchaudio")):
        return True
    program = [sys.executable, "-c", "import torchaudio"]
    result = subprocess.run(program, capture_output=True, text=True, check=False)
    if result.returncode:
        click.echo(f"BROKEN   torchaudio does not fit torch; {install_command('train')}")
    return result.returncode == 0


def _ffmpeg() -> None:
    program = find_ffmpeg()
    if program is None:
        click.echo("none     ffmpeg, for m4a, webm, video; install it from the system's packages")
        return
    result = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    version = result.stdout.split()[2:3] if result.returncode == 0 else []
    click.echo(f"ok       ffmpeg {version[0]}" if version else f"none     {program} does not run")


def _model(model: str) -> str:
    directory = ModelDirectory.open(model)
    files = ", ".join(
        f"{name} {record.sha256[:12]}" for name, record in directory.config.files.items()
    )
    return f"model {directory.config.name} in {directory.path}: {files}"


def _self_test(model: str) -> str:
    recognizer = Recognizer.load(model)
    rate = recognizer.acoustic.info.sample_rate
    noise = np.random.default_rng(0).standard_normal(SECONDS * rate).astype(np.float32) * 0.01
    started = time.perf_counter()
    recognizer.transcribe(noise, rate)
    factor = (time.perf_counter() - started) / SECONDS
    return f"self-test: real-time factor {factor:.4f} on one thread"


def _devices() -> None:
    try:
        found = list_microphones()
    except DeviceError as error:
        click.echo(f"none     microphones: {error}")
        return
    for device in found:
        click.echo(
            f"ok       microphone {device.name}: {device.rate} Hz, {device.channels} channels"
        )
    if not found:
        click.echo("none     microphones: no input device is connected")
