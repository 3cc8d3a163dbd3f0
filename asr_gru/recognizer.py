"""The pipeline of a recogniser, loaded once: recordings to transcripts, streams to events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from asr_gru.audio import check_rate
from asr_gru.decoding import AnyDecoder, BeamDecoder, GreedyDecoder, WordTimes
from asr_gru.errors import ConfigError, Error, ModelError
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.recordings import AudioInput, transcribe_recordings
from asr_gru.streaming.stream import Pipeline, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from asr_gru.model.acoustic import AcousticModel
    from asr_gru.results import Segment, Transcript
    from asr_gru.text import Tokenizer

__all__ = ["Recognizer"]


class Recognizer:
    """Turns speech into text.

    One recogniser serves any number of recordings and streams.

        recognizer = Recognizer.load()
        recognizer.transcribe("talk.flac").text

    Args:
        acoustic: samples to log-probabilities.
        tokens: what the log-probabilities stand for.
        time_shift_s: added to all times, mostly negative: CTC answers a little after the sound.
            The model's look-ahead is taken off beside it.
        temperature: of the words' confidences, see ``decoding.word_confidence``.
        decoder: greedy when not given.
        endpoint: where segments end unless a call says otherwise.

    Raises:
        ModelError: the tokens do not fit the acoustic model.
    """

    def __init__(
        self,
        acoustic: AcousticModel,
        tokens: Tokenizer,
        *,
        time_shift_s: float = 0.0,
        temperature: float = 1.0,
        decoder: AnyDecoder | None = None,
        endpoint: EndpointRules | None = None,
    ) -> None:
        info = acoustic.info
        if info.tokens != len(tokens):
            raise ModelError(
                f"the acoustic model has {info.tokens} tokens and the list of tokens "
                f"{len(tokens)}; take both from one model"
            )
        shift_s = min(time_shift_s - info.lookahead_s, 0.0)  # nothing is placed after it was heard
        times = WordTimes(info.frame_s, shift_s, temperature)
        self._pipeline = Pipeline(acoustic, tokens, decoder or GreedyDecoder(), times)
        self._endpoint = endpoint or EndpointRules.normal()

    @classmethod
    def load(
        cls,
        model: str | Path = "en-small",
        *,
        backend: Literal["onnx", "torch"] = "onnx",
        device: str = "cpu",
        threads: int = 1,
        beam: int | None = None,
    ) -> Recognizer:
        """Load a model.

        Args:
            model: name of a bundled model, or a model directory.
            backend: ``"onnx"`` runs the int8 graph; ``"torch"`` the network, which needs the
                extra ``train``.
            device: ``"cpu"`` or ``"cuda"``.
            threads: processor threads for one call of the model.
            beam: texts kept by the beam search; 1 is greedy; None is the model's own choice.

        Raises:
            ModelError: missing, cut or foreign files, or a device that is not there.
            ConfigError: a backend or beam that cannot be.
            MissingExtraError: the backend needs torch.
        """
        from asr_gru.backends import load_acoustic_model
        from asr_gru.model.directory import ModelDirectory

        if beam is not None and beam < 1:
            raise ConfigError(f"a beam of {beam}; give 1 (greedy) or more")
        directory = ModelDirectory.open(model)
        config = directory.config
        width = config.decoder.beam if beam is None else beam
        return cls(
            load_acoustic_model(directory, backend=backend, device=device, threads=threads),
            directory.tokens(),
            time_shift_s=config.time_shift_s,
            temperature=config.temperature,
            decoder=GreedyDecoder() if width == 1 else BeamDecoder(width),
        )

    @property
    def acoustic(self) -> AcousticModel:
        """The acoustic model."""
        return self._pipeline.acoustic

    @property
    def tokens(self) -> Tokenizer:
        """What the model writes with."""
        return self._pipeline.tokens

    def stream(
        self,
        sample_rate: int,
        endpoint: EndpointRules | None = None,
        *,
        partials: bool = True,
    ) -> Stream:
        """Start a stream.

        Args:
            sample_rate: of the blocks that will be fed, in Hz.
            endpoint: where segments end; the stream's ``endpoint`` can be changed later.
            partials: False gives finals alone, at less cost.

        Raises:
            ModelError: the model needs whole recordings.
            AudioError: an impossible rate.
        """
        if not self.acoustic.info.streaming:
            raise ModelError(
                "this model is bidirectional and needs whole recordings; use transcribe, "
                "or load a model that streams"
            )
        rules = endpoint or self._endpoint
        rate = check_rate(sample_rate)
        return Stream(self._pipeline, rate, rules, partials=partials)

    def transcribe(
        self,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        endpoint: EndpointRules | None = None,
        on_progress: Callable[[float], None] | None = None,
        on_segment: Callable[[Segment], None] | None = None,
    ) -> Transcript:
        """Transcribe a recording of any length in constant memory.

        Text, times and confidences are those of a stream of the same audio.

        Args:
            source: a file, or samples ``(n,)`` or ``(n, channels)``.
            sample_rate: of the samples, in Hz; files say theirs.
            endpoint: where segments end.
            on_progress: called now and then with the seconds done.
            on_segment: called with each segment as soon as it is final.

        Raises:
            AudioError: what cannot be read as sound.
        """
        rules = endpoint or self._endpoint
        ((_, result),) = transcribe_recordings(
            self._pipeline,
            [source],
            sample_rate,
            rules,
            batch_size=1,
            on_progress=on_progress,
            on_segment=on_segment,
        )
        if isinstance(result, Error):
            raise result
        return result

    def transcribe_batch(
        self,
        sources: Iterable[AudioInput],
        sample_rate: int | None = None,
        *,
        batch_size: int = 16,
        endpoint: EndpointRules | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Iterator[tuple[AudioInput, Transcript | Error]]:
        """Transcribe many recordings, ``batch_size`` at a time in each call of the model.

        Yields:
            each source with its transcript, or with its error, in the order of ``sources``; the
            transcripts are those of ``transcribe``.

        Raises:
            ConfigError: a batch size below 1.
        """
        if batch_size < 1:
            raise ConfigError(f"a batch size of {batch_size}; give 1 or more")
        return transcribe_recordings(
            self._pipeline,
            sources,
            sample_rate,
            endpoint or self._endpoint,
            batch_size=batch_size,
            on_progress=on_progress,
        )
