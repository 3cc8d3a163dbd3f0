"""Text collection from small repositories: sources, leak control and vocabulary."""

from __future__ import annotations

import random
import subprocess
from collections import Counter

import numpy as np
import pytest

from asr_gru.errors import DataError
from asr_gru.language.text_files import create_text
from recipes.en_small.text import collect, extract, vocabulary
from recipes.en_small.text.clauses import split_clauses
from recipes.en_small.text.leaks import LeakFilter
from recipes.en_small.text.numbers import DIGITS, spoken_numbers
from recipes.en_small.text.snapshot import find_snapshot, read_files
from recipes.en_small.text.sources import SOURCES, Source

HELD_OUT = "the quick brown fox jumps over the lazy dog by the river bank"


def make_repository(folder, name, files, bare=False):
    work = folder / name.replace("/", "+") / ("work" if bare else "repo")
    work.mkdir(parents=True)

    def git(*arguments):
        subprocess.run(["git", "-C", work, *arguments], check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    for path, content in files.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_bytes(content if isinstance(content, bytes) else content.encode())
    git("add", "-A")
    git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "files")
    if bare:
        subprocess.run(
            ["git", "clone", "-q", "--bare", work, work.with_name("repo")],
            check=True,
            capture_output=True,
        )
    return work


def manifest(path, *lines):
    rows = [f"{i}.wav\t{line}" for i, line in enumerate(lines)]
    path.write_text("path\ttext\n" + "".join(f"{row}\n" for row in rows))
    return path


@pytest.mark.parametrize("bare", [False, True])
def test_files_are_read_from_a_git_directory_once(tmp_path, bare):
    files = {"a.txt": "one", "copy/a.txt": "one", "b.txt": "two\n", "c.md": "three", "ä.txt": "4"}
    make_repository(tmp_path, "owner/name", files, bare)
    git = find_snapshot(tmp_path, "owner/name")
    assert dict(read_files(git, r"\.txt$")) == {"a.txt": b"one", "b.txt": b"two\n", "ä.txt": b"4"}


def test_missing_objects_are_left_out(tmp_path):
    make_repository(tmp_path, "owner/name", {"a.txt": "one", "b.txt": "two"})
    git = find_snapshot(tmp_path, "owner/name")
    name = subprocess.run(
        ["git", f"--git-dir={git}", "rev-parse", "HEAD:a.txt"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    (git / "objects" / name[:2] / name[2:]).unlink()
    assert dict(read_files(git, "txt")) == {"b.txt": b"two"}


def test_a_missing_snapshot_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="owner/name"):
        find_snapshot(tmp_path, "owner/name")


def test_a_missing_revision_is_named(tmp_path):
    make_repository(tmp_path, "owner/name", {"a.txt": "one"})
    with pytest.raises(DataError, match=r"abcdef cannot be read .*; clone the repository again"):
        list(read_files(find_snapshot(tmp_path, "owner/name"), "txt", "abcdef"))


def test_programs_name_missing_input_in_one_line(tmp_path, capsys):
    dev, words = manifest(tmp_path / "dev.tsv", "one two"), tmp_path / "words.txt"
    held_out = ["--snapshots", str(tmp_path), "--held-out"]
    assert collect.main([str(tmp_path / "out"), *held_out, str(dev)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {tmp_path}/mlschmitt+classic-books-markdown/repo: no git")
    assert error.count("\n") == 1
    assert collect.main([str(tmp_path / "out"), *held_out, str(tmp_path / "none.tsv")]) == 1
    assert "none.tsv: No such file" in capsys.readouterr().err
    development = ["--development", str(dev)]
    assert vocabulary.main([str(words), str(tmp_path / "none.txt"), *development]) == 1
    assert "none.txt: No such file" in capsys.readouterr().err
    (tmp_path / "text.txt").write_text("one two\n")
    empty = manifest(tmp_path / "empty.tsv", "...")
    arguments = [str(words), str(tmp_path / "text.txt"), "--development", str(empty)]
    assert vocabulary.main(arguments) == 1
    assert "empty.tsv: has no words" in capsys.readouterr().err


def test_texts_without_words_are_left_out(tmp_path):
    assert collect.texts([manifest(tmp_path / "list.tsv", "One.", "...", "one")]) == ["one"]


CLAUSES = {
    "Mr. J. R. Smith, of St. Ives, met Dr. Hale at 5 p.m. They left.": [
        "mister j r smith of saint ives met doctor hale at five p m they left"
    ],
    "He said: “Stop!” She ran—fast; very fast": ["he said", "stop", "she ran", "fast", "very fast"],
    "In 1914–18 the U.S. Army grew. Prof. Green agreed.": [
        "in nineteen fourteen to eighteen the u s army grew",
        "professor green agreed",
    ],
    "See https://example.org. A {{template}} line. Good words.": ["good words"],
    "Слово is Russian. This isn't.": ["this isn't"],
}


@pytest.mark.parametrize("text", CLAUSES)
def test_texts_are_split_into_clauses(text):
    assert list(split_clauses(text)) == CLAUSES[text]


def test_documents_with_three_shared_n_grams_are_left_out():
    leaks = LeakFilter([HELD_OUT])
    words = HELD_OUT.split()
    assert leaks.clean(["so it was", " ".join(words[:9])]) is None
    assert leaks.clean(["so it was", " ".join(words[:8])]) == ["so it was"]
    assert leaks.clean(["so it was", " ".join(words[:6])]) == ["so it was", " ".join(words[:6])]
    assert leaks.clean(["so it was", " ".join(words[:9])], whole=False) == ["so it was"]


def test_an_n_gram_across_lines_removes_all_of_them():
    leaks = LeakFilter([HELD_OUT])
    lines = ["first", "the quick brown", "fox", "jumps over the", "last"]
    assert leaks.clean(lines) == ["first", "last"]


def test_short_texts_are_found_as_whole_lines():
    leaks = LeakFilter(["turn left here", "yes", HELD_OUT])
    assert leaks.clean(["turn left here", "yes", "turn left here please"]) == [
        "yes",
        "turn left here please",
    ]


def test_leaks_agree_with_a_word_by_word_search():
    draw = random.Random(3)
    words = "abcd"
    texts = [" ".join(draw.choices(words, k=12)) for _ in range(40)]
    grams = {tuple(t.split()[i : i + 7]) for t in texts for i in range(6)}
    leaks = LeakFilter(texts)
    for _ in range(300):
        lines = [" ".join(draw.choices([*words, "e"], k=draw.randint(1, 9))) for _ in range(6)]
        flat = [(word, n) for n, line in enumerate(lines) for word in line.split()]
        found = [flat[i : i + 7] for i in range(len(flat) - 6)]
        found = [gram for gram in found if tuple(word for word, _ in gram) in grams]
        bad = {n for gram in found for _, n in gram}
        assert leaks.clean(lines, whole=False) == [x for n, x in enumerate(lines) if n not in bad]
        different = {tuple(word for word, _ in gram) for gram in found}
        assert (leaks.clean(lines) is None) == (len(different) >= 3)


def test_texts_of_all_sources_are_collected(tmp_path, monkeypatch, capsys):
    leaking = HELD_OUT.capitalize()
    make_repository(
        tmp_path / "snapshots",
        "some/books",
        {
            "a.md": f"The cat sat on the mat.\n\nThe dog barked loudly; {leaking}.",
            "b.md": "It rained for 3 days.\n\nIt rained for 3 days.",
            "README.md": "Not this one.",
        },
    )
    make_repository(
        tmp_path / "snapshots",
        "some/sentences",
        {"en.txt": f"One sentence here.\nOne sentence here.\n{leaking}."},
        bare=True,
    )
    sources = (
        Source("books", "public domain", (("some/books", r"^[ab]\.md$", extract.book),)),
        Source(
            "sentences",
            "CC0",
            (("some/sentences@main", r"\.txt$", extract.lines),),
            whole=False,
            unique=True,
        ),
    )
    monkeypatch.setattr(collect, "SOURCES", sources)
    held_out = manifest(tmp_path / "dev.tsv", HELD_OUT)
    train = manifest(tmp_path / "train.tsv", "Up & down!", "up and down", HELD_OUT)
    arguments = [tmp_path / "out", "--snapshots", tmp_path / "snapshots", "--held-out", held_out]
    collect.main([*map(str, arguments), "--recordings", str(train)])
    out = tmp_path / "out"
    assert (out / "books.txt").read_text() == "it rained for three days\n" * 2
    assert (out / "sentences.txt").read_text() == "one sentence here\n"
    assert (out / "recordings.txt").read_text() == "up and down\n"
    report = [row.split("\t")[:6] for row in (out / "sources.tsv").read_text().splitlines()[1:]]
    assert report == [
        ["books", "public domain", "10", "2", "1", "0"],
        ["sentences", "CC0", "3", "1", "0", "1"],
        ["recordings", "as recorded", "3", "1", "0", "1"],
    ]
    assert "1 held-out texts" in capsys.readouterr().out
    assert not list(out.glob("*.part"))


def test_sources_have_unique_names():
    names = Counter(source.name for source in SOURCES)
    assert set(names.values()) == {1}
    assert all(source.files and source.licence for source in SOURCES)


def test_the_vocabulary_fits_the_development_text(tmp_path, capsys):
    (tmp_path / "sea.txt").write_text("the sea the ship klm klm\n" * 9 + "kraken\n")
    (tmp_path / "law.txt").write_text("the law the court the judge\n" * 90)
    dev = manifest(tmp_path / "dev.tsv", "the ship on the sea")
    train = manifest(tmp_path / "train.tsv", "harpoon")
    out = tmp_path / "words.txt"
    texts = [str(tmp_path / name) for name in ("sea.txt", "law.txt")]
    rest = ["--development", str(dev), "--include", str(train), "--size", "30"]
    vocabulary.main([str(out), *texts, *rest])
    words = out.read_text().split()
    assert len(words) == 30
    assert words == sorted(words)
    assert {"the", "sea", "ship", "harpoon", *"abcxyz"} <= set(words)
    assert not {"law", "court", "judge", "kraken", "klm"} & set(words)
    assert "dev.tsv: 20.00 % of 5 words are missing" in capsys.readouterr().out


def test_n_grams_have_distinct_hashes():
    """All 7-grams over a small alphabet have different hashes, so there are no false leaks."""
    leaks = LeakFilter([" ".join(np.base_repr(i, 3).zfill(9)) for i in range(3**9)])
    assert len(leaks._grams) == 3**7


def test_spoken_numbers_are_short_reproducible_lines_of_words():
    lines = spoken_numbers(3_000)
    assert lines == spoken_numbers(3_000)
    assert lines != spoken_numbers(3_000, seed=2)
    assert {line for line in lines if " " not in line} >= set(DIGITS)
    assert max(len(line.split()) for line in lines) == 6
    assert set("".join(lines)) <= set("abcdefghijklmnopqrstuvwxyz' ")
    expected = ("one two three", "twenty first", "five o'clock", "oh ", "percent", "point", "march")
    assert all(any(part in line for line in lines) for part in expected)


def test_the_vocabulary_of_compressed_texts(tmp_path, capsys):
    with create_text(tmp_path / "text.txt.xz") as file:
        file.write("the cat sat\n" * 5)
    development = manifest(tmp_path / "dev.tsv", "the cat ran")
    words = [str(tmp_path / name) for name in ("words.txt", "text.txt.xz")]
    assert vocabulary.main([*words, "--development", str(development)]) == 0
    assert {"the", "cat", "sat"} < set((tmp_path / "words.txt").read_text().split())
    (tmp_path / "text.txt.xz").write_bytes(b"no xz")
    assert vocabulary.main([*words, "--development", str(development)]) == 1
    assert "text.txt.xz: truncated or damaged" in capsys.readouterr().err


def test_a_file_of_another_kind_is_named(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    make_repository(tmp_path, "owner/name", {"a.json": pointer})
    source = Source("talk", "CC0", (("owner/name", r"json$", extract.dialogues),))
    with pytest.raises(DataError, match=r"a\.json is not as expected \(JSONDecodeError\)"):
        list(collect.documents(source, tmp_path))
