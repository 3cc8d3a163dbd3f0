"""Lists of phrases, and pronunciations of their words."""

from __future__ import annotations

import numpy as np
import pytest

from asr_gru.errors import ConfigError
from asr_gru.language import ENGLISH_PHONES, Lexicon, PhraseList, WordPronunciations
from asr_gru.language.pronounce import load_english
from asr_gru.results import Match

SYMBOLS = ["<blank>", *ENGLISH_PHONES]


def lexicon(**spoken: str) -> Lexicon:
    entries = [
        (word, tuple(way.split())) for word, ways in spoken.items() for way in ways.split("|")
    ]
    return Lexicon.build(entries, ENGLISH_PHONES)


def pronunciations_of(words, sounds):
    spoken = sounds.look_up(words)
    return [
        [
            " ".join(SYMBOLS[i] for i in spoken.tokens[spoken.starts[way] : spoken.starts[way + 1]])
            for way in range(spoken.first[place], spoken.first[place + 1])
        ]
        for place in range(len(words))
    ]


def test_phrases_are_found_by_their_words():
    listed = PhraseList(["Turn the light on!", "Set 5 timers", "turn the LIGHT on", "Turn"])
    assert listed.match(["turn", "the", "light", "on"]) == Match("Turn the light on!", 0)
    assert listed.match(["set", "five", "timers"]) == Match("Set 5 timers", 1)
    assert listed.match(["turn"]) == Match("Turn", 3)
    assert listed.match(["turn", "the"]) is None
    assert listed.match([]) is None


def test_phrases_share_prefixes():
    graph = PhraseList(["a b c", "a b d", "a"]).graph
    assert len(graph.source) == 4
    assert np.isfinite(graph.final).sum() == 3


@pytest.mark.parametrize(
    ("phrases", "said"),
    [
        ([], "no phrases to listen for"),
        (["go", " "], r"phrase 2 \(' '\) has no words"),
        (["?!"], r"phrase 1 \('\?!'\) has no words"),
        (["go " * 400], "phrase 1 .* has 1200 characters; give at most 1000"),
    ],
)
def test_invalid_lists_are_refused(phrases, said):
    with pytest.raises(ConfigError, match=said):
        PhraseList(phrases)


def test_the_lexicon_takes_precedence_over_rules_and_letters():
    sounds = WordPronunciations(
        SYMBOLS, "phones", lexicon(read="R EH D|R IY D", go="G OW"), pronouncer=load_english
    )
    read, zebra, go, letter = pronunciations_of(["read", "zebra", "go", "a."], sounds)
    assert read == ["R EH D", "R IY D"]
    assert zebra == ["Z IY B R AH"]
    assert go == ["G OW"]
    assert letter == ["EY"]


def test_without_a_lexicon_all_words_are_pronounced_by_rule():
    sounds = WordPronunciations(SYMBOLS, "phones", pronouncer=load_english)
    assert pronunciations_of(["go"], sounds) == [["G OW"]]


def test_phones_may_have_stress_as_in_the_cmu_dictionary():
    sounds = WordPronunciations(SYMBOLS, "phones")
    assert sounds.token_ids(["IY1", "B"], "eb") == sounds.token_ids(["IY", "B"], "eb")
    stressed = WordPronunciations(["<blank>", "IY", "IY1"], "phones")
    assert stressed.token_ids(["IY1", "IY"], "e") == (2, 1)
    with pytest.raises(ConfigError, match="'e' needs the phone IY3, which the model lacks"):
        sounds.token_ids(["IY3"], "e")


def test_models_of_characters_spell_words_with_and_without_a_final_space():
    sounds = WordPronunciations(["<blank>", " ", "a", "b"], "characters")
    spoken = sounds.look_up(["ab", "a."])
    assert spoken.first.tolist() == [0, 2, 4]
    assert spoken.tokens.tolist() == [2, 3, 2, 3, 1, 2, 2, 1]
    assert spoken.starts.tolist() == [0, 2, 5, 6, 8]


def test_words_that_cannot_be_pronounced_are_named():
    sounds = WordPronunciations(SYMBOLS, "phones", pronouncer=load_english)
    with pytest.raises(ConfigError, match="'жук' cannot be pronounced: 'ж' 'к' 'у'; use other"):
        sounds.look_up(["go", "жук"])
    with pytest.raises(ConfigError, match="'zebra' is not in the model's lexicon, and there are"):
        WordPronunciations(SYMBOLS, "phones", lexicon(go="G OW")).look_up(["go", "zebra"])
    with pytest.raises(ConfigError, match="'read' needs the phone R, which the model lacks"):
        WordPronunciations(SYMBOLS[:28], "phones", lexicon(read="R EH D", go="G OW")).look_up(
            ["go", "read"]
        )
    with pytest.raises(ConfigError, match="'zebra' needs the phone Z, which the model lacks"):
        WordPronunciations(SYMBOLS[:-3], "phones", pronouncer=load_english).look_up(["go", "zebra"])
    with pytest.raises(ConfigError, match=r"'ac' cannot be spelled .* 'c'; change it"):
        WordPronunciations(["<blank>", "a", "b"], "characters").look_up(["ab", "ac"])
    with pytest.raises(ConfigError, match="tokens are pieces"):
        WordPronunciations(["<blank>", "▁a"], "pieces")


def test_unknown_words_are_counted():
    sounds = WordPronunciations(SYMBOLS, "phones", lexicon(go="G OW"), pronouncer=load_english)
    sounds.look_up(["go", "zebra"], max_unknown=1)
    with pytest.raises(ConfigError, match="2 words that are not in the lexicon, such as 'zebra'"):
        sounds.look_up(["go", "zebra", "lamp"], max_unknown=1)
