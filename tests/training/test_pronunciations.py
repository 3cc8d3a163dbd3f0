"""Models of phones: pronunciations from a lexicon, or chosen by alignment."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import soundfile
import torch

from asr_gru.data.manifest import Utterance
from asr_gru.decoding.pronunciation_choice import AlignedWords
from asr_gru.errors import ConfigError, ModelError
from asr_gru.language import Lexicon
from asr_gru.language.dictionary import ENGLISH_PHONES
from asr_gru.language.pronounce import Pronouncer
from asr_gru.language.token_trigram import TokenTrigram
from asr_gru.model.directory import TRIGRAM
from asr_gru.text import PhoneTokenizer, build_character_tokenizer, load_tokenizer
from asr_gru.training.align import align_corpus, phone_line
from asr_gru.training.audio_cache import pack_corpus
from asr_gru.training.checkpoint import load_checkpoint
from asr_gru.training.config_file import parse_train_config
from asr_gru.training.dataset import read_utterances
from asr_gru.training.initialise import load_net, load_net_tokenizer
from asr_gru.training.loop import Run, train
from asr_gru.training.phone_times import read_phone_times
from asr_gru.training.pronunciations import Pronunciations, load_pronunciations
from recipes.en_small.letters_to_phones import LETTERS, convert

from .conftest import ALONE, RATE

ESTIMATE = TokenTrigram.estimate
LEXICON = "tomato  T AH M EY T OW\ntomato(2)  T AH M AA T OW\nred  R EH D\nsee  S IY\n"


def utterance(text: str, name: str = "a.wav") -> Utterance:
    return Utterance(path=Path(name), text=text)


@pytest.fixture
def root(tmp_path):
    random = np.random.default_rng(0)
    lines = ["path\ttext"]
    for number, text in enumerate(["see red", "tomato", "red tomato", "see слово", ""]):
        soundfile.write(tmp_path / f"{number}.wav", random.standard_normal(RATE) * 0.1, RATE)
        lines.append(f"{number}.wav\t{text}")
    (tmp_path / "list.tsv").write_text("\n".join(lines) + "\n")
    (tmp_path / "words.dict").write_text(LEXICON)
    return tmp_path


def config(**data):
    values = {"train": ["list.tsv"], "validation": ["list.tsv"], "tokens": "phones", **data}
    return parse_train_config(
        {
            "epochs": 1,
            "gru_kernel": "torch",
            "data": {"lexicon": "words.dict", **values},
            "encoder": {"layers": 1, "width": 8, "lookahead": 1},
        }
    )


def train_run(root, name="run", log=lambda _line: None, settings=None, **run):
    where = Run(root / name, root, root / "cache", **run)
    return train(settings or config(), where, ALONE, log)


def test_words_get_their_first_pronunciation(tmp_path):
    (tmp_path / "words.dict").write_text(LEXICON)
    lexicon = Lexicon.read_text(tmp_path / "words.dict", ENGLISH_PHONES)
    texts = Pronunciations(Pronouncer(lexicon)).to_phones(
        [utterance("see tomato"), utterance("see zyx abc zyx", "b.wav"), utterance("")]
    )
    assert [u.text for u in texts.utterances] == ["S IY T AH M EY T OW", "", ""]
    assert texts.missing == {Path("b.wav"): "zyx"}
    assert texts.unpronounced == {"zyx": 2, "abc": 1}
    assert texts.notes() == ["left out, words without a pronunciation: zyx (2), abc (1)"]


def test_a_run_can_train_on_phones(root):
    lines: list[str] = []
    state = train_run(root, log=lines.append)
    assert load_tokenizer(root / "run" / "tokens.txt").symbols[1:] == ENGLISH_PHONES
    assert state.vocab_size == 40
    assert "left out, words without a pronunciation: слово (1)" in lines
    assert "left out: 1 with a word that has no pronunciation (such as 3.wav)" in lines
    row = json.loads((root / "run" / "log.jsonl").read_text())
    assert {"list PER", "mean PER"} <= row.keys()
    assert not any("WER" in key or "CER" in key for key in row)
    assert any("ref: S IY R EH D" in line for line in lines)
    assert row["epoch"] == 1


def test_unknown_words_are_pronounced_by_their_letters_and_named(tmp_path):
    own = config(lexicon="").data
    texts = load_pronunciations(own, tmp_path).to_phones(
        [utterance("see flimblat"), utterance("слово", "b.wav")]
    )
    assert texts.utterances[0].text.startswith("S IY F L IH M B")
    assert texts.guessed == {"flimblat": 1}
    assert texts.missing == {Path("b.wav"): "слово"}
    assert "words pronounced by their letters: flimblat (1)" in texts.notes()


def test_a_run_of_letters_cannot_resume_with_phones(root):
    train_run(root, "letters", settings=config(tokens="characters"))
    with pytest.raises(ConfigError, match="start from has characters"):
        train_run(root, "phones", start_from=root / "letters")
    train_run(root, "phones", start_from=root / "letters", new_head=True)


def test_alignments_are_found_for_manifests_with_absolute_paths(root, monkeypatch):
    monkeypatch.chdir(root)
    Path("list.tsv").write_text(f"path\ttext\n{root / '1.wav'}\ttomato\n")
    Path("phones.tsv").write_text("path\tphones\n1.wav\tT 0.1 AH 0.2 M 0.3 AA 0.4 T 0.5 OW 0.6\n")
    data = config(pronunciations="phones.tsv").data
    texts = load_pronunciations(data, Path()).to_phones(read_utterances(["list.tsv"], Path(), data))
    assert [u.text for u in texts.utterances] == ["T AH M AA T OW"]


def test_training_uses_the_aligned_pronunciations(root):
    train_run(root)
    data = config().data
    state = load_checkpoint(root / "run")
    net, tokenizer = load_net(root / "run"), load_net_tokenizer(root / "run")
    place = {name: i for i, name in enumerate(tokenizer.symbols)}
    assert state.vocab_size == len(tokenizer)
    with torch.no_grad():  # a model that never outputs EY
        net.encoder.head.bias[place["EY"]] = -50.0
    corpus = pack_corpus(read_utterances(["list.tsv"], root, data), root / "cache", RATE)
    found = align_corpus(net, tokenizer, corpus, load_pronunciations(data, root))
    assert found.left_out == {"a word has no pronunciation": 1, "no text": 1}
    assert (found.ambiguous_words, found.variant_words, len(found.lines)) == (2, 2, 3)
    lines = [f"{path.name}\t{line}" for path, line in found.lines.items()]
    (root / "phones.tsv").write_text("\n".join(["path\tphones", *lines]) + "\n")
    chosen = load_pronunciations(config(pronunciations="phones.tsv").data, root)
    texts = chosen.to_phones(read_utterances(["list.tsv"], root, data))
    assert texts.utterances[1].text == "T AH M AA T OW"
    assert texts.utterances[2].text == "R EH D T AH M AA T OW"
    ids, ends = read_phone_times(root / "phones.tsv", [root]).times[root / "1.wav"]
    assert len(ids) == len(ends)
    assert ends[-1] == pytest.approx(1.0, abs=0.02)
    train_run(root, "second", settings=config(pronunciations="phones.tsv"))


def test_models_of_letters_cannot_align_phones(root):
    train_run(root, "letters", settings=config(tokens="characters"))
    data = config().data
    corpus = pack_corpus(read_utterances(["list.tsv"], root, data), root / "cache", RATE)
    with pytest.raises(ModelError, match="no token 'AA'"):
        align_corpus(
            load_net(root / "letters"),
            build_character_tokenizer(["abc"]),
            corpus,
            load_pronunciations(data, root),
        )


def test_phones_end_halfway_to_their_neighbours():
    aligned = AlignedWords([0], [1, 2, 1], [11, 13, 31], [12, 14, 32], 0.0)
    line = phone_line(aligned, ("", "A", "B"), 0.04, 1, 1.5)
    assert line == "SIL 0.30 A 0.46 B 0.62 SIL 1.10 A 1.34 SIL 1.50"


def test_phones_encoded_as_letters_are_converted(root):
    lines = (root / "list.tsv").read_text().splitlines()
    written = "".join(LETTERS.values())
    soundfile.write(root / "0.wav", np.random.default_rng(1).standard_normal(5 * RATE) * 0.1, RATE)
    (root / "all.tsv").write_text("\n".join([lines[0], f"0.wav\t{written}"]) + "\n")
    letters = config(train=["all.tsv"], validation=[], tokens="characters", normaliser="none")
    before = train_run(root, "letters", settings=letters)
    convert(root / "letters", root / "converted")
    after = load_checkpoint(root / "converted")
    symbols = build_character_tokenizer([written])
    for phone, letter in (("AA", "a"), ("OY", "z"), ("P", "A"), ("ZH", "M")):
        row = PhoneTokenizer(ENGLISH_PHONES).encode(phone)[0]
        was = symbols.encode(letter)[0]
        for name in ("encoder.head.weight", "encoder.head.bias"):
            assert torch.equal(after.weights[name][row], before.weights[name][was])
            assert torch.equal(after.ema[name][row], before.ema[name][was])
    train_run(root, "on", start_from=root / "converted")


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_the_trigram_is_estimated_once(root, monkeypatch, weight):
    estimated: list[TokenTrigram] = []

    def estimate(*arguments):
        estimated.append(ESTIMATE(*arguments))
        return estimated[-1]

    monkeypatch.setattr(TokenTrigram, "estimate", estimate)
    train_run(root, settings=msgspec.structs.replace(config(), ctc_crf_weight=weight))
    assert len(estimated) == 1
    written = TokenTrigram.load(root / "run" / TRIGRAM, PhoneTokenizer(ENGLISH_PHONES).symbols)
    assert np.allclose(written.log_probs, estimated[0].log_probs, atol=0.03)
