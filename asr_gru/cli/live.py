"""``asr-gru live``: transcribe a microphone live."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asr_gru.cli.interrupts import current_handlers
from asr_gru.cli.options import (
    alternatives_option,
    check_confidence,
    confidence_options,
    endpoint_rules,
    stream_options,
    written_option,
)
from asr_gru.cli.quiet import quiet_libraries
from asr_gru.cli.terminal import is_drawn_on
from asr_gru.cli.vocabulary import (
    closed_decoder,
    hot_decoder,
    hot_word_option,
    phrase_options,
    read_closed,
    read_hot_words,
)
from asr_gru.errors import ConfigError, Error
from asr_gru.results import Event

if TYPE_CHECKING:
    from asr_gru.audio.blocks import AudioSource
    from asr_gru.cli.screen import Screen
    from asr_gru.live import LiveSession, Record
    from asr_gru.live.writers import AudioWriter, SessionWriter

__all__ = ["command"]


@click.command("live")
@click.argument("recordings", nargs=-1, metavar="")
@click.option("--device", help="Microphone: its number or part of its name.")
@click.option("--list-devices", is_flag=True, help="List the microphones and exit.")
@click.option(
    "--from-file",
    type=click.Path(path_type=Path),
    help="Play a recording in real time instead of a microphone.",
)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Also write a new .txt, .srt, .vtt, .json or .jsonl file live; may be repeated.",
)
@click.option(
    "--save-audio", type=click.Path(path_type=Path), help="Also save the audio to a new .wav file."
)
@stream_options(threads=1)
@phrase_options
@hot_word_option
@confidence_options
@written_option
@alternatives_option("files of JSON")
@click.pass_context
def command(
    context: click.Context,
    recordings: tuple[str, ...],
    device: str | None,
    list_devices: bool,
    from_file: Path | None,
    endpoint: str,
    outputs: tuple[Path, ...],
    save_audio: Path | None,
    model: str,
    threads: int,
    decoder: str | None,
    beam: int | None,
    phrases: Path | None,
    grammar: Path | None,
    rejection: float | None,
    hot_words: Path | None,
    minimum_confidence: float | None,
    mark_uncertain: bool,
    written: bool,
    alternatives: int | None,
) -> int:
    """Transcribe a microphone until Ctrl-C; words of low confidence are underlined."""
    if recordings:
        raise ConfigError(
            f"live listens to a microphone; give --from-file {recordings[0]}, or use transcribe"
        )
    if from_file is not None and device is not None:
        raise ConfigError("--device and --from-file exclude each other; give one")
    if len(set(outputs)) < len(outputs):
        raise ConfigError("--output names a file twice; give each once")
    if alternatives is not None and not any(map(_is_json, outputs)):
        raise ConfigError("--alternatives are written to JSON alone; add --output NAME.jsonl")
    closed = read_closed(phrases, grammar, rejection, decoder, beam)
    check_confidence(minimum_confidence, closed, mark=mark_uncertain)
    listed = read_hot_words(hot_words, closed)
    rules = endpoint_rules(endpoint)
    with contextlib.ExitStack() as stack:
        stack.enter_context(quiet_libraries(context))
        if list_devices:
            return _list()
        from asr_gru.live import LiveSession
        from asr_gru.live.writers import SUFFIXES, AudioWriter, SessionWriter, check_new
        from asr_gru.recognizer import Recognizer

        for path in outputs:
            check_new(path, SUFFIXES)
        audio = None if save_audio is None else stack.enter_context(AudioWriter(save_audio))
        source = _source(device, from_file)  # first, to record while the model loads
        stack.callback(source.close)
        recognizer = Recognizer.load(model, threads=threads, decoder=decoder, beam=beam)
        chosen = hot_decoder(recognizer, listed) or closed_decoder(recognizer, closed)
        session = LiveSession(
            recognizer,
            source,
            rules,
            decoder=chosen,
            minimum_confidence=minimum_confidence,
            mark_uncertain=mark_uncertain,
            written=written,
            alternatives=alternatives,
            audio=audio is not None,
        )
        files = [SessionWriter(path) for path in outputs]
        with _stop_on_signal(session):
            return _Output(_screen(), files, audio).run(session, source)


def _is_json(path: Path) -> bool:
    return path.suffix.lower() in {".json", ".jsonl"}


def _list() -> int:
    from asr_gru.audio.devices import list_microphones

    found = list_microphones()
    if not found:
        raise Error("no microphone is connected; plug one in, or start the sound server")
    for device in found:
        mark = "*" if device.is_default else " "
        click.echo(
            f"{mark}{device.index:3} {device.name}, {device.host}: "
            f"{device.rate} Hz, {device.channels} channel{'s' * (device.channels > 1)}"
        )
    return 0


def _source(device: str | None, from_file: Path | None) -> AudioSource:
    if from_file is not None:
        from asr_gru.audio.paced import PacedRecording

        return PacedRecording(from_file)
    from asr_gru.audio.microphone import Microphone

    return Microphone(int(device) if device is not None and device.isdecimal() else device)


def _screen() -> Screen:
    if is_drawn_on(sys.stdout):
        from asr_gru.cli.live_terminal import Terminal

        return Terminal(sys.stdout)
    from asr_gru.cli.screen import Pipe

    return Pipe(sys.stdout, sys.stderr)


class _Output:
    """Writes the records of a session to files and screen; stops it if the screen fails."""

    def __init__(
        self, screen: Screen, files: list[SessionWriter], audio: AudioWriter | None
    ) -> None:
        self._screen = screen
        self._files = files
        self._audio = audio
        self._failed = False
        self._failing: set[Path] = set()

    def run(self, session: LiveSession, source: AudioSource) -> int:
        from asr_gru.audio.paced import PacedRecording

        screen_error: OSError | None = None
        try:
            self._screen.note(f"listening to {source.description}; press Ctrl-C to stop")
            for record in session:
                self._save(record)
                try:
                    if screen_error is None:
                        self._show(record)
                except OSError as error:
                    screen_error = error
                    session.stop()
        finally:
            for file in self._files:
                self._failing.discard(file.path)  # always report the final failure
                self._failed |= not self._try_write(file.path, file.close)
            with contextlib.suppress(OSError):
                self._screen.close()
        if isinstance(source, PacedRecording):
            for warning in source.warnings:
                self._screen.note(warning)
        if screen_error is not None:
            raise screen_error
        return int(self._failed)

    def _save(self, record: Record) -> None:
        from asr_gru.live import AudioBlock

        if isinstance(record, Event) and record.kind == "final":
            for file in self._files:
                self._try_write(file.path, file.write, record)
        elif isinstance(record, AudioBlock) and self._audio is not None:
            self._failed |= not self._try_write(self._audio.path, self._audio.write, record)

    def _show(self, record: Record) -> None:
        from asr_gru.live import AudioDropped, SourceLost, SourceRestored, Status

        if isinstance(record, Event):
            self._screen.event(record)
        elif isinstance(record, Status):
            self._screen.status(record)
        elif isinstance(record, SourceLost):
            self._screen.note(f"lost: {record.message}")
            self._screen.status(None)
        elif isinstance(record, SourceRestored):
            self._screen.note(f"restored after {record.gap_s:.1f} s: {record.description}")
        elif isinstance(record, AudioDropped):
            self._screen.note(f"dropped {record.seconds:.1f} s of audio: the computer is too busy")

    def _try_write(self, path: Path, act: Callable[..., None], *arguments: Any) -> bool:
        """Call ``act`` on a file; report errors only when its state changes, and never raise."""
        try:
            act(*arguments)
        except Error as error:
            if path not in self._failing:
                self._failing.add(path)
                self._note(str(error))
            return False
        if path in self._failing:
            self._failing.remove(path)
            self._note(f"{path}: writing again")
        return True

    def _note(self, line: str) -> None:
        with contextlib.suppress(OSError):
            self._screen.note(line)


@contextlib.contextmanager
def _stop_on_signal(session: LiveSession) -> Iterator[None]:
    """Stop the session at the first SIGINT, SIGTERM or SIGHUP; the second SIGINT exits.

    Signals that are ignored, as SIGHUP is under nohup, stay so.
    """
    before = current_handlers()

    def stop(number: int, frame: Any) -> None:  # noqa: ARG001
        session.stop()
        if signal.SIGINT in before:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
