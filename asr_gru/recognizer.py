"""The pipeline of a recogniser, loaded once: recordings to transcripts, streams to events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from asr_gru.audio import check_rate
from asr_gru.decoders import Decoders
from asr_gru.decoding import AnyDecoder, WordTimes
from asr_gru.errors import ConfigError, Error, ModelError
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.recordings import AudioInput, Update, transcribe_recordings
from asr_gru.streaming.stream import Pipeline, Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from asr_gru.model.acoustic import AcousticModel
    from asr_gru.results import Segment, Transcript
    from asr_gru.text import Tokenizer

__all__ = ["DecoderChoice", "Recognizer"]

DecoderChoice = AnyDecoder | str | None
"""A decoder, or the name of one: greedy, beam, words; None is the default."""


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
        decoder: reads the log-probabilities unless a call says otherwise; greedy when not given.
        decoders: those that calls can choose by name; greedy and beam when not given.
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
        decoders: Decoders | None = None,
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
        self._decoders = decoders or Decoders()
        self._pipeline = Pipeline(acoustic, tokens, self._decoders.get(decoder), times)
        self._endpoint = endpoint or EndpointRules.normal()

    @classmethod
    def load(
        cls,
        model: str | Path = "en-small",
        *,
        backend: Literal["onnx", "torch"] = "onnx",
        device: str = "cpu",
        threads: int = 1,
        decoder: DecoderChoice = None,
        beam: int | None = None,
    ) -> Recognizer:
        """Load a model.

        Args:
            model: name of a bundled model, or a model directory.
            backend: ``"onnx"`` runs the int8 graph; ``"torch"`` the network, which needs the
                extra ``train``.
            device: ``"cpu"`` or ``"cuda"``.
            threads: processor threads for one call of the model.
            decoder: ``"greedy"``, ``"beam"`` (prefixes) or ``"words"`` (lexicon and language
                model), or a decoder of your own; None is the model's own choice.
            beam: readings kept from frame to frame; None is the model's own choice. Without a
                decoder, 1 is greedy and more is beam, unless the model searches for words.

        Raises:
            ModelError: missing, cut or foreign files, or a device that is not there.
            ConfigError: a backend, decoder or beam that cannot be.
            MissingExtraError: the backend needs torch.
        """
        from asr_gru.backends import load_acoustic_model
        from asr_gru.model.directory import ModelDirectory

        directory = ModelDirectory.open(model)
        config = directory.config
        decoders = Decoders(directory)
        chosen = decoders.get(decoder, beam)
        return cls(
            load_acoustic_model(directory, backend=backend, device=device, threads=threads),
            directory.tokens(),
            time_shift_s=config.time_shift_s,
            temperature=config.temperature,
            decoder=chosen,
            decoders=decoders,
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
        decoder: DecoderChoice = None,
        partials: bool = True,
    ) -> Stream:
        """Start a stream.

        Args:
            sample_rate: of the blocks that will be fed, in Hz.
            endpoint: where segments end; the stream's ``endpoint`` can be changed later.
            decoder: as in ``load``; None is the one that was loaded.
            partials: False gives finals alone, at less cost.

        Raises:
            ModelError: the model needs whole recordings.
            AudioError: an impossible rate.
            ConfigError: no such decoder.
        """
        if not self.acoustic.info.streaming:
            raise ModelError(
                "this model is bidirectional and needs whole recordings; use transcribe, "
                "or load a model that streams"
            )
        rules = endpoint or self._endpoint
        rate = check_rate(sample_rate)
        return Stream(self._pipeline_with(decoder), rate, rules, partials=partials)

    def transcribe(
        self,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        decoder: DecoderChoice = None,
        endpoint: EndpointRules | None = None,
        on_progress: Callable[[float], None] | None = None,
        on_segment: Callable[[Segment], None] | None = None,
    ) -> Transcript:
        """Transcribe a recording of any length in constant memory.

        Text, times and confidences are those of a stream of the same audio.

        Args:
            source: a file, or samples ``(n,)`` or ``(n, channels)``.
            sample_rate: of the samples, in Hz; files say theirs.
            decoder: as in ``load``; None is the one that was loaded.
            endpoint: where segments end.
            on_progress: called now and then with the seconds done.
            on_segment: called with each segment as soon as it is final.

        Raises:
            AudioError: what cannot be read as sound.
            ConfigError: no such decoder.
        """
        rules = endpoint or self._endpoint
        ((_, result),) = transcribe_recordings(
            self._pipeline_with(decoder),
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
        decoder: DecoderChoice = None,
        endpoint: EndpointRules | None = None,
        on_progress: Callable[[float], None] | None = None,
        on_update: Callable[[Update], None] | None = None,
    ) -> Iterator[tuple[AudioInput, Transcript | Error]]:
        """Transcribe many recordings, ``batch_size`` at a time in each call of model and decoder.

        Yields:
            each source with its transcript, or with its error, in the order of ``sources``; the
            transcripts are those of ``transcribe``. ``on_update`` is called while each is on its
            way, with the segments that became final.

        Raises:
            ConfigError: a batch size below 1, or no such decoder.
        """
        if batch_size < 1:
            raise ConfigError(f"a batch size of {batch_size}; give 1 or more")
        return transcribe_recordings(
            self._pipeline_with(decoder),
            sources,
            sample_rate,
            endpoint or self._endpoint,
            batch_size=batch_size,
            on_progress=on_progress,
            on_update=on_update,
        )

    def _pipeline_with(self, decoder: DecoderChoice) -> Pipeline:
        if decoder is None:
            return self._pipeline
        return replace(self._pipeline, decoder=self._decoders.get(decoder))
