import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_gru.errors import DataError, ModelError
from asr_gru.text import (
    PhoneTokenizer,
    build_character_tokenizer,
    load_tokenizer,
    train_piece_tokenizer,
)

TEXTS = ["the cat sat on the mat", "a dog and a cat", "über naïve façade", "слово за слово"]


@given(st.lists(st.text("abcü язык'", min_size=1), min_size=1))
def test_characters_decode_to_the_encoded_text(texts):
    tokens = build_character_tokenizer(texts)
    for text in texts:
        ids = tokens.encode(text)
        assert 0 not in ids
        assert tokens.decode(ids) == " ".join(text.split())


def test_composed_and_decomposed_characters_have_the_same_id():
    tokens = build_character_tokenizer(["é"])
    assert tokens.encode("e\u0301") == tokens.encode("é")


def test_word_spans_are_positions_of_tokens():
    tokens = build_character_tokenizer(TEXTS)
    ids = tokens.encode("a  dog ")
    assert tokens.word_spans(ids) == [("a", 0, 1), ("dog", 3, 6)]


def test_an_error_names_a_character_without_a_token():
    with pytest.raises(DataError, match="'z'"):
        build_character_tokenizer(["abc"]).encode("abz")


@pytest.mark.parametrize("kind", ["characters", "pieces"])
def test_a_saved_tokenizer_loads_again(tmp_path, kind):
    texts = TEXTS * 30
    tokens = (
        build_character_tokenizer(texts)
        if kind == "characters"
        else train_piece_tokenizer(texts, 30)
    )
    again = load_tokenizer(tmp_path / tokens.save(tmp_path))
    assert (again.kind, len(again)) == (kind, len(tokens))
    for text in TEXTS:
        assert again.decode(again.encode(text)) == text == tokens.decode(tokens.encode(text))


def test_pieces_decode_without_the_sentencepiece_model(tmp_path):
    tokens = train_piece_tokenizer(TEXTS * 30, 30)
    tokens.save(tmp_path)
    (tmp_path / "tokens.model").unlink()
    again = load_tokenizer(tmp_path / "tokens.txt")
    assert again.decode(tokens.encode("the cat")) == "the cat"
    with pytest.raises(ModelError, match=r"tokens\.model"):
        again.encode("the cat")


def test_more_pieces_than_the_texts_allow_are_refused():
    with pytest.raises(DataError, match="5000"):
        train_piece_tokenizer(["a b"], 5000)


@pytest.mark.parametrize(
    "data", [b"", b"a\nb\n", b"<blank>\na\na\n", b"<blank>\n\n", b"\xff\xfe", b"x" * 5_000_000]
)
def test_invalid_token_lists_are_refused(tmp_path, data):
    path = tmp_path / "tokens.txt"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"tokens\.txt"):
        load_tokenizer(path)


def test_a_missing_token_list_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"none\.txt"):
        load_tokenizer(tmp_path / "none.txt")


def test_phones_are_separated_by_spaces(tmp_path):
    tokens = PhoneTokenizer(["AA", "B", "a", " "])
    assert tokens.kind == "phones"
    assert tokens.symbols == ("<blank>", "AA", "B", "a", " ")
    assert tokens.encode("B AA a") == [2, 1, 3]
    assert tokens.decode([2, 1, 4, 3]) == "B AA a"
    assert tokens.word_spans([2, 4, 1]) == [("B", 0, 1), ("AA", 2, 3)]
    with pytest.raises(DataError, match="unknown phone 'C' in 'B C'"):
        tokens.encode("B C")
    tokens.save(tmp_path)
    again = load_tokenizer(tmp_path / "tokens.txt")
    assert (again.kind, again.symbols) == ("phones", tokens.symbols)


def test_the_kind_of_single_letter_tokens_can_be_given(tmp_path):
    PhoneTokenizer(["a", "b"]).save(tmp_path)
    assert load_tokenizer(tmp_path / "tokens.txt").kind == "characters"
    assert load_tokenizer(tmp_path / "tokens.txt", "phones").kind == "phones"
