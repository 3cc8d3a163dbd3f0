import pytest

from asr_gru.errors import DataError
from asr_gru.language import ENGLISH_PHONES, Lexicon
from asr_gru.language.pronounce import Pronouncer, load_english


def expected_phones(word):
    first = load_english().pronounce(word)[0]
    return " ".join(first.phones), first.source


@pytest.mark.parametrize(
    ("word", "phones", "source"),
    [
        ("cat", "K AE T", "dictionary"),
        ("CAT", "K AE T", "dictionary"),
        ("café", "K AH F EY", "dictionary"),
        ("zebra’s", "Z IY B R AH Z", "possessive of 'zebra'"),
        ("walrus's", "W AO L R AH S IH Z", "possessive of 'walrus'"),
        ("sceptical", "S K EH P T AH K AH L", "American spelling 'skeptical'"),
        ("armoured", "AA R M ER D", "past of 'armour'"),
        ("discolour", "D IH S K AH L ER", "American spelling 'discolor'"),
        ("hodgepodges", "HH AA JH P AA JH IH Z", "plural of 'hodgepodge'"),
        ("rewinded", "R IY W AY N D IH D", "past of 'rewind'"),
        ("rambln", None, "grapheme to phoneme"),
        ("grumblin'", "G R AH M B AH L IH N", "in' for 'grumbling'"),
        ("blue-green", "B L UW G R IY N", "joined from 'blue green'"),
        ("b", "B IY", "dictionary"),
        ("qxz", "K Y UW EH K S Z IY", "spelled out 'q x z'"),
        ("ABEO", "EY B IY IY OW", "spelled out 'a b e o'"),
        ("u.v.a.", "Y UW V IY EY", "spelled out 'u v a'"),
        ("42", "F AO R T IY T UW", "number 'forty two'"),
        ("keyboardmouse", None, "grapheme to phoneme"),
    ],
)
def test_pronunciations_have_their_source(word, phones, source):
    found, where = expected_phones(word)
    assert where == source
    if phones:
        assert found == phones


def test_all_pronunciations_of_the_dictionary_are_returned():
    ways = {" ".join(one.phones) for one in load_english().pronounce("read")}
    assert ways == {"R EH D", "R IY D"}


def test_plural_and_past_tense_are_pronounced_by_rule():
    entries = [("muck", ("M", "AH", "K")), ("mug", ("M", "AH", "G")), ("mat", ("M", "AE", "T"))]
    own = Pronouncer(Lexicon.build(entries, ENGLISH_PHONES))
    ends = {
        word: own.pronounce(word)[0].phones[3:]
        for word in ("mucks", "mugs", "mat's", "mucked", "mugged", "matted", "mucking", "matting")
    }
    assert ends == {
        "mucks": ("S",), "mugs": ("Z",), "mat's": ("S",), "mucked": ("T",), "mugged": ("D",),
        "matted": ("IH", "D"), "mucking": ("IH", "NG"), "matting": ("IH", "NG"),
    }  # fmt: skip


def test_a_lexicon_is_built_for_words():
    lexicon, kinds = load_english().lexicon(["cat", "read", "cats", "zorblaxian", "cat"])
    assert lexicon.words == ("cat", "read", "cats", "zorblaxian")
    assert len(lexicon.pronunciations("read")) == 2
    assert kinds == {
        "cat": "dictionary",
        "read": "dictionary",
        "cats": "dictionary",
        "zorblaxian": "grapheme to phoneme",
    }
    more, _ = load_english().lexicon(["zorblaxian"], n=3)
    assert len(more.pronunciations("zorblaxian")) == 3
    with pytest.raises(DataError, match="'cat': phone 'AE'"):
        load_english().lexicon(["cat"], ["K", "T"])


def test_words_that_cannot_be_pronounced_are_named():
    with pytest.raises(DataError, match="'漢字' and 1 more cannot be pronounced: '字' '漢'"):
        load_english().pronounce_all(["cat", "漢字", "???"])
    with pytest.raises(DataError, match="'' cannot be pronounced: no letters"):
        load_english().pronounce("")


def test_without_a_grapheme_to_phoneme_model_unknown_words_are_refused():
    with pytest.raises(DataError, match="'zorblax' cannot be pronounced"):
        Pronouncer(load_english().dictionary).pronounce("zorblax")
