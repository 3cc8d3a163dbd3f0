"""Transcription of recordings."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from asr_gru.decoding_options import DecoderChoice, DecodingOptions
from asr_gru.errors import ConfigError, Error, is_integer
from asr_gru.loaded_model import LoadedModel
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.recordings import (
    AudioInput,
    Update,
    iterate_segments,
    transcribe_recordings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_gru.language import HotWordsLike
    from asr_gru.results import Segment, Transcript

__all__ = ["Transcriber"]


class Transcriber(LoadedModel):
    """A loaded model that transcribes recordings; the base class of ``Recognizer``."""

    def transcribe(
        self,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
        hot_words: HotWordsLike | None = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        alternatives: int | None = None,
        endpoint: EndpointRules | str | float | None = None,
        on_progress: Callable[[float], None] | None = None,
        on_segment: Callable[[Segment], None] | None = None,
    ) -> Transcript:
        """Transcribe a recording of any length in constant memory.

        Text, times and confidences are identical to those of a stream of the same audio.

        Args:
            source: path of a file, a binary file object, the bytes of a file, or samples ``(n,)``
                or ``(n, channels)``.
            sample_rate: rate of the samples, in Hz; not needed for files.
            decoder: see ``stream``.
            phrases: see ``stream``.
            grammar: see ``stream``.
            rejection: see ``stream``.
            hot_words: see ``stream``.
            minimum_confidence: see ``stream``.
            mark_uncertain: see ``stream``.
            written: see ``stream``.
            alternatives: see ``stream``.
            endpoint: see ``stream``.
            on_progress: called with the seconds of audio that have been recognised.
            on_segment: called with each segment as soon as it is final.

        Raises:
            AudioError: the source cannot be read as audio.
            ConfigError: an option is invalid, or options exclude each other.
        """
        rules = self._rules(endpoint)
        ((_, result),) = transcribe_recordings(
            self._pipeline_for(
                DecodingOptions.parse(
                    decoder=decoder,
                    phrases=phrases,
                    grammar=grammar,
                    rejection=rejection,
                    hot_words=hot_words,
                    minimum_confidence=minimum_confidence,
                    mark_uncertain=mark_uncertain,
                    written=written,
                    alternatives=alternatives,
                )
            ),
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

    def segments(
        self,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
        hot_words: HotWordsLike | None = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        alternatives: int | None = None,
        endpoint: EndpointRules | str | float | None = None,
    ) -> Iterator[Segment]:
        """Yield the segments of a recording as soon as each is final.

        The recording is read as the iterator advances; see ``transcribe`` for arguments and errors.
        """
        pipeline = self._pipeline_for(
            DecodingOptions.parse(
                decoder=decoder,
                phrases=phrases,
                grammar=grammar,
                rejection=rejection,
                hot_words=hot_words,
                minimum_confidence=minimum_confidence,
                mark_uncertain=mark_uncertain,
                written=written,
                alternatives=alternatives,
            )
        )
        return iterate_segments(pipeline, source, sample_rate, self._rules(endpoint))

    def transcribe_batch(
        self,
        sources: Iterable[AudioInput],
        sample_rate: int | None = None,
        *,
        batch_size: int = 16,
        decoder: DecoderChoice = None,
        phrases: Iterable[str] | None = None,
        grammar: str | Path | None = None,
        rejection: float | None = None,
        hot_words: HotWordsLike | None = None,
        minimum_confidence: float | None = None,
        mark_uncertain: bool = False,
        written: bool = False,
        alternatives: int | None = None,
        endpoint: EndpointRules | str | float | None = None,
        on_progress: Callable[[float], None] | None = None,
        on_update: Callable[[Update], None] | None = None,
    ) -> Iterator[tuple[AudioInput, Transcript | Error]]:
        """Transcribe many recordings, with ``batch_size`` of them in each call of the model.

        ``on_update`` is called for each recording with the segments that have become final; see
        ``transcribe`` for the other arguments.

        Yields:
            each source with its transcript or error, in the order of ``sources``. Transcripts are
            identical to those of ``transcribe``.

        Raises:
            ConfigError: the sources are not a list, the batch size is below 1, an option is
                invalid, or options exclude each other.
        """
        if isinstance(sources, str | Path) or not isinstance(sources, Iterable):
            raise ConfigError(f"sources is {str(sources)[:40]!r}; give a list of recordings")
        if not is_integer(batch_size) or batch_size < 1:
            raise ConfigError(f"a batch size of {str(batch_size)[:40]}; give 1 or more")
        return transcribe_recordings(
            self._pipeline_for(
                DecodingOptions.parse(
                    decoder=decoder,
                    phrases=phrases,
                    grammar=grammar,
                    rejection=rejection,
                    hot_words=hot_words,
                    minimum_confidence=minimum_confidence,
                    mark_uncertain=mark_uncertain,
                    written=written,
                    alternatives=alternatives,
                )
            ),
            sources,
            sample_rate,
            self._rules(endpoint),
            batch_size=batch_size,
            on_progress=on_progress,
            on_update=on_update,
        )
