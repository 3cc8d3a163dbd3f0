"""The choice of a decoder, and invalid models of words."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_gru.decoding import BeamDecoder, GreedyDecoder, TreeSearch
from asr_gru.errors import ConfigError, ModelError
from asr_gru.language import LanguageModel, Lexicon
from asr_gru.model.config import DecoderConfig
from asr_gru.model.directory import ModelDirectory, write_model_directory
from asr_gru.recognizer import Recognizer
from asr_gru.streaming.endpoint import EndpointRules

RATE = 16_000
PHONES = {"AA", "B", "K", "T"}
WORDS = {"a", "back", "cat", "tack", "bob"}
QUICK = EndpointRules(trailing_s=0.3, longest_s=2.0, leading_s=1.0, pause_s=0.1)


def noise(seed, seconds=3.0):
    random = np.random.default_rng(seed)
    level = np.repeat(random.uniform(0, 0.3, round(seconds * 5) + 1), RATE // 5)
    return (random.standard_normal(round(seconds * RATE)) * level[: round(seconds * RATE)]).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def recognizer(word_model):
    return Recognizer.load(word_model)


@pytest.fixture
def broken(word_model, tmp_path):
    """Return a function that writes a copy of the model with other files or configuration."""
    directory = ModelDirectory.open(word_model)
    files = {name: (word_model / name).read_bytes() for name in directory.config.files}

    def write(decoder=None, **changed):
        config = directory.config
        if decoder is not None:
            (tmp_path / "config").mkdir()
            shutil.copytree(word_model, tmp_path / "broken")
            path = tmp_path / "broken" / "config.json"
            document = json.loads(path.read_text())
            path.write_text(json.dumps({**document, "decoder": decoder}))
            return tmp_path / "broken"
        kept = {**files, **changed}
        kept = {name: data for name, data in kept.items() if data is not None}
        return write_model_directory(tmp_path / "broken", config, kept).path

    return write


def test_the_default_decoder_of_the_model_finds_words(recognizer, word_model):
    text = recognizer.transcribe(noise(1), RATE).text
    assert text
    assert set(text.split()) <= WORDS
    config = ModelDirectory.open(word_model).config
    assert (config.format, config.tokens.kind, config.decoder.kind) == (2, "phones", "words")


def test_decoders_can_be_chosen_per_load_stream_and_call(recognizer, word_model):
    sound = noise(1)
    transcript = recognizer.transcribe(sound, RATE, decoder="greedy")
    assert set(transcript.text.split()) <= PHONES
    assert len(transcript.words) > 3
    own = BeamDecoder(3)
    by_own = recognizer.transcribe(sound, RATE, decoder=own).text
    assert by_own == Recognizer.load(word_model, decoder=own).transcribe(sound, RATE).text
    assert Recognizer.load(word_model, decoder="greedy").transcribe(sound, RATE) == transcript
    stream = recognizer.stream(RATE, decoder="greedy")
    finals = [e for e in [*stream.feed(sound), *stream.finish()] if e.kind == "final"]
    assert [e.words for e in finals] == [s.words for s in transcript.segments]
    ((_, batched),) = recognizer.transcribe_batch([sound], RATE, decoder="greedy")
    assert batched == transcript


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.lists(st.integers(1, 20_000), max_size=8))
def test_chunking_and_batching_do_not_change_words(recognizer, seed, cuts):
    """Bit-identical in chunks and batches, with valid events."""
    sounds = [noise(seed), noise(seed + 1, 2.0), noise(seed + 2, 1.0)]
    whole = [recognizer.transcribe(sound, RATE, endpoint=QUICK) for sound in sounds]
    together = recognizer.transcribe_batch(sounds, RATE, endpoint=QUICK, batch_size=3)
    assert [result for _, result in together] == whole
    stream = recognizer.stream(RATE, QUICK)
    events = [e for part in np.split(sounds[0], np.cumsum(cuts)) for e in stream.feed(part)]
    events += stream.finish()
    finals = [event for event in events if event.kind == "final"]
    assert [event.words for event in finals] == [segment.words for segment in whole[0].segments]
    stable: dict[int, str] = {}
    for event in events:
        before = stable.get(event.segment, "")
        assert event.text.startswith(event.stable)
        assert event.stable.startswith(before)
        assert event.text
        stable[event.segment] = event.stable


def test_beam_sets_the_width_of_each_decoder(word_model, model):
    load = Recognizer.load
    assert isinstance(load(word_model).decoder, TreeSearch)
    for search, width in (
        (load(word_model, beam=7).decoder, 7),
        (load(word_model, decoder="words", beam=9).decoder, 9),
    ):
        assert isinstance(search, TreeSearch)
        assert search.parameters.width == width
    assert isinstance(load(model).decoder, GreedyDecoder)
    assert isinstance(load(model, beam=1).decoder, GreedyDecoder)
    for beam, width in (
        (load(model, beam=5).decoder, 5),
        (load(model, decoder="beam").decoder, 8),
    ):
        assert isinstance(beam, BeamDecoder)
        assert beam.width == width


def test_invalid_decoders_are_refused(recognizer, model):
    with pytest.raises(ConfigError, match=r"unknown decoder 'word' .did you mean 'words'"):
        recognizer.stream(RATE, decoder="word")
    with pytest.raises(ConfigError, match="beam of 0"):
        Recognizer.load(model, beam=0)
    with pytest.raises(ConfigError, match="greedy decoding has no beam; leave it out"):
        Recognizer.load(model, decoder="greedy", beam=5)
    assert isinstance(Recognizer.load(model, decoder="greedy", beam=1).decoder, GreedyDecoder)
    with pytest.raises(ConfigError, match="cannot be set for a decoder object"):
        Recognizer.load(model, decoder=GreedyDecoder(), beam=3)
    with pytest.raises(ModelError, match=r"no lexicon .* --lexicon"):
        Recognizer.load(model, decoder="words")


def test_a_lexicon_with_other_phones_is_refused(broken, tmp_path):
    Lexicon.build([("a", ("AE",))], ["AE"]).save(tmp_path / "other.bin")
    path = broken(**{"lexicon.bin": (tmp_path / "other.bin").read_bytes()})
    with pytest.raises(ModelError, match="AE are not among the model's tokens") as refusal:
        Recognizer.load(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_language_model_for_another_vocabulary_is_refused(broken, tmp_path):
    Lexicon.build([("a", ("AA",)), ("zeal", ("B",)), ("zoo", ("T",))], ["AA", "B", "T"]).save(
        tmp_path / "other.bin"
    )
    path = broken(**{"lexicon.bin": (tmp_path / "other.bin").read_bytes()})
    with pytest.raises(ModelError, match="another vocabulary: it lacks 'zeal' and 1 more words"):
        Recognizer.load(path)


def test_a_model_without_a_language_model_finds_words_too(broken):
    path = broken(**{"language.bin": None})
    text = Recognizer.load(path).transcribe(noise(1), RATE).text
    assert set(text.split()) <= WORDS


@pytest.mark.parametrize("name", ["lexicon.bin", "language.bin"])
def test_a_damaged_file_is_named(broken, word_model, name):
    path = broken(**{name: (word_model / name).read_bytes()[:-64]})
    with pytest.raises(ModelError, match=f"{name}: .*again"):
        Recognizer.load(path)
    assert len(LanguageModel.load(word_model / "language.bin").words) == 8


def test_words_without_a_lexicon_are_refused(word_model, tmp_path):
    config = ModelDirectory.open(word_model).config
    files = {name: (word_model / name).read_bytes() for name in ("acoustic.onnx", "tokens.txt")}
    with pytest.raises(ModelError, match=r"does not list lexicon\.bin"):
        write_model_directory(tmp_path / "x", config, files)


@pytest.mark.parametrize(
    ("decoder", "named"),
    [
        ({"kind": "words", "words": {"beam": 0.1}}, "beam 0.1: give 1 to 10000"),
        ({"kind": "words", "words": {"language_weight": -1}}, "language_weight -1"),
        ({"kind": "words", "words": {"wort_bonus": 1}}, "'word_bonus'"),
        ({"kind": "word"}, "word"),
    ],
)
def test_parameters_of_a_model_directory_are_checked(broken, decoder, named):
    path = broken(decoder)
    with pytest.raises(ModelError, match=named) as refusal:
        Recognizer.load(path)
    assert "\n" not in str(refusal.value)
    assert "config.json" in str(refusal.value)


def test_defaults_agree_with_format_1():
    from asr_gru.decoder_config import default_kind

    assert default_kind(DecoderConfig()) == "greedy"
    assert default_kind(DecoderConfig(beam=4)) == "beam"
    assert default_kind(DecoderConfig(kind="beam")) == "beam"
    assert default_kind(ModelDirectory.open("en-small").config.decoder) == "words"
