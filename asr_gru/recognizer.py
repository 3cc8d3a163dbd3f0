"""The recogniser: recordings, streams and alignments."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from asr_gru.audio import check_rate
from asr_gru.decoding_options import DecoderChoice, DecodingOptions
from asr_gru.errors import ModelError
from asr_gru.streaming.endpoint import EndpointRules
from asr_gru.streaming.engine import StreamEngine
from asr_gru.streaming.recordings import AudioInput
from asr_gru.streaming.stream import Stream, StreamState
from asr_gru.transcriber import Transcriber

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from asr_gru.language import HotWordsLike, Lexicon
    from asr_gru.results import Alignment

__all__ = ["DecoderChoice", "Recognizer"]


class Recognizer(Transcriber):
    """A speech recogniser.

        recognizer = Recognizer.load()
        recognizer.transcribe("talk.flac").text

    One recogniser serves any number of recordings and streams. ``load`` creates one from a model
    directory; the constructor takes the parts of a model.

    Args:
        acoustic: the acoustic model.
        tokenizer: its tokenizer.
        time_shift_s: added to all times, in addition to the negative look-ahead; usually
            negative, as CTC emits tokens late. The sum is at most 0.
        temperature: see ``decoding.word_confidence``.
        confidence: see ``model.config.ConfidenceWeights``.
        decoder: the default decoder; greedy if None.
        decoders: the decoders that calls can choose by name; greedy and beam by default.
        endpoint: default endpoint rules: rules, a mode, or seconds of silence.
        speech: evidence of speech that words of the tree search require; None accepts all words.
        name: name of the model.
        language: BCP 47 tag of the model's language.

    Raises:
        ModelError: the tokenizer does not fit the acoustic model.
        ConfigError: the endpoint rules are invalid.
    """

    def stream(
        self,
        sample_rate: int,
        endpoint: EndpointRules | str | float | None = None,
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
        partials: bool = True,
    ) -> Stream:
        """Start a stream.

        Args:
            sample_rate: sample rate of the audio, in Hz.
            endpoint: rules, a mode (``"short"``, ``"normal"``, ``"long"``, ``"off"``) or seconds
                of silence that end a segment. ``Stream.endpoint`` can be changed later.
            decoder: as in ``load``; the default decoder of the recogniser if None.
            phrases: recognise only these phrases; see ``phrase_decoder``.
            grammar: recognise only sentences of this grammar; see ``grammar_decoder``.
            rejection: how strictly other speech is rejected; see ``phrase_decoder``.
            hot_words: words and phrases to favour; see ``hot_word_decoder``.
            minimum_confidence: omit words of lower confidence, between 0 and 1; None keeps all.
            mark_uncertain: mark such words as ``[word?]``, with ``Word.uncertain`` set, instead of
                omitting them.
            written: also give finals in written form; see ``text.inverse_normalise``.
            alternatives: maximum length of the n-best list of each segment, 1 to 20; None for no
                list. A decoder may find fewer; greedy decoding finds one.
            partials: whether to emit partials; False saves time.

        Raises:
            ModelError: the model needs whole recordings.
            AudioError: the sample rate is out of range.
            ConfigError: an option is invalid, or options exclude each other.
        """
        if not self.acoustic.info.streaming:
            raise ModelError(
                "this model is bidirectional and needs whole recordings; use transcribe, "
                "or load a streaming model"
            )
        options = DecodingOptions.parse(
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
        pipeline = self._pipeline_for(options)
        rate = check_rate(sample_rate)
        new_engine = partial(StreamEngine, pipeline, rate, partials=partials)
        return Stream(
            new_engine,
            self._rules(endpoint),
            options.hot_words,
            with_hot_words=self.decoder_with_hot_words,
        )

    def resume(self, state: StreamState, *, decoder: DecoderChoice = None) -> Stream:
        """Continue a stream from a saved state, as if it had not been interrupted.

        Args:
            state: a result of ``Stream.state``; it can be pickled, and resumed any number of times.
            decoder: the ``decoder`` of the original stream.

        Raises:
            ModelError: the state belongs to another model or decoder.
            ConfigError: the decoder is invalid.
        """
        pipeline = self._pipeline_for(
            DecodingOptions(
                decoder=decoder,
                hot_words=state.hot_words,
                minimum_confidence=state.engine.minimum_confidence,
                written=state.engine.written,
                alternatives=state.engine.alternatives,
            )
        )
        rate, partials = state.engine.sample_rate, state.engine.partials
        new_engine = partial(StreamEngine, pipeline, rate, partials=partials)
        return Stream.resume(
            state, pipeline, new_engine, with_hot_words=self.decoder_with_hot_words
        )

    def align(
        self,
        text: str,
        source: AudioInput,
        sample_rate: int | None = None,
        *,
        lexicon: Lexicon | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> Alignment:
        """Find the times of each word and phone of a text in a recording of it.

        The recording may last hours; memory grows with its length and that of the text.
        ``alignment.aligner`` describes the method.

        Args:
            text: the spoken text, in any spelling.
            source: as in ``transcribe``.
            sample_rate: rate of samples, in Hz.
            lexicon: lexicon to use instead of the model's own; other pronunciations are generated
                by the English rules.
            on_progress: called with the seconds of audio that have been recognised.

        Raises:
            DataError: no word of the text has a pronunciation.
            AudioError: the source cannot be read as audio.
            ConfigError: the model's tokens are word pieces, which have no pronunciations.
        """
        from asr_gru.alignment import Aligner

        aligner = Aligner(
            self._pipeline, self.word_pronunciations(lexicon), self._decoders.normaliser
        )
        return aligner.align(text, source, sample_rate, on_progress=on_progress)
