"""Where the text comes from: public repositories, their licences and the files in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from recipes.en_small.text import extract

__all__ = ["SOURCES", "Source"]

Extract = Callable[[bytes], str]


@dataclass(frozen=True)
class Source:
    """Files of one or more repositories that are extracted in one way.

    Attributes:
        name: of the text file that is written.
        licence: of the text, as its repository states it.
        files: repository, pattern of paths and extraction; the repository may carry ``@revision``.
        whole: whether a file is one document, that leaks as a whole, or unrelated sentences.
        unique: whether a clause is taken only the first time it comes.
    """

    name: str
    licence: str
    files: tuple[tuple[str, str, Extract], ...]
    whole: bool = True
    unique: bool = False


def _detokenised_column(content: bytes, name: str | int) -> str:
    return extract.tokenised(extract.column(content, name))


def _last_column(content: bytes) -> str:
    rows = content.decode("utf-8", "ignore").split("\n")
    return extract.tokenised("\n".join(row.split("\t")[-1] for row in rows))


def _well_formed(content: bytes) -> str:
    rows = [row.split("\t") for row in content.decode("utf-8", "ignore").split("\n")]
    return "\n".join(row[0] for row in rows if len(row) == 2 and float(row[1]) >= 0.6)


def _wikitext(content: bytes) -> str:
    return extract.tokenised(content.decode("utf-8", "ignore"))


def _articles(content: bytes) -> str:
    return "\n".join(_prose(content))


def _prose(content: bytes) -> Iterator[str]:
    for _, text in extract.mediawiki(content):
        yield text


GOOGLE = "google-research-datasets"
OPENSTAX = (
    "openstax/osbooks-introduction-business",
    "openstax/osbooks-life-liberty-and-pursuit-happiness",
    "openstax/osbooks-principles-economics-bundle",
    "openstax/osbooks-college-success-bundle",
    "openstax/osbooks-introduction-anthropology",
)
TATOEBA = (
    ("emilolio/translation-transformer", r"^swe\.txt$"),
    ("sezan92/attention_sezan", r"^data/jpn\.txt$"),
    ("devdio/flyai_datasets", r"^jpn\.txt$"),
    ("ekinakyurek/lexical", r"^TRANSLATE/cmn\.txt$"),
    ("devcem/NMT-on-PHP", r"^tur\.txt$"),
)

SOURCES = (
    Source(
        "classic-books",
        "public domain (US)",
        (("mlschmitt/classic-books-markdown", r"^(?!README|LICENSE).*\.md$", extract.book),),
    ),
    Source(
        "novels",
        "public domain (novels of 1771 to 1930)",
        (("computationalstylistics/100_english_novels", r"^corpus/.*\.txt$", extract.lines),),
    ),
    Source(
        "podcasts",
        "CC BY-SA 4.0",
        (("thechangelog/transcripts", r"^[a-z]+/.*\.md$", extract.transcript),),
    ),
    Source(
        "presidents",
        "public domain",
        (("kfogel/presidential-speeches@a4c8b38", r"^data/.*\.txt$", extract.speech),),
    ),
    Source(
        "schema-guided",
        "CC BY-SA 4.0",
        (
            (
                f"{GOOGLE}/dstc8-schema-guided-dialogue",
                r"^(train|dev|test)/dialogues.*\.json$",
                extract.dialogues,
            ),
        ),
        whole=False,
        unique=True,
    ),
    Source(
        "taskmaster",
        "CC BY 4.0",
        ((f"{GOOGLE}/Taskmaster", r"^TM-.*/(data|reward)/.*\.json$", extract.dialogues),),
        whole=False,
        unique=True,
    ),
    Source(
        "common-voice",
        "CC0 1.0",
        (
            ("skanderbenalaya/common-voice", r"^server/data/en/.*\.txt$", extract.lines),
            (
                "NinadJ09/ASR-Comparative-Study-Whisper-Wav2Vec2-LSTM",
                r"^(dev|test)\.tsv$",
                partial(extract.column, name="sentence"),
            ),
            (
                "korliu/whisper",
                r"^dataset/(validated|invalidated|reported)\.tsv$",
                partial(extract.column, name="sentence"),
            ),
            ("ku-nlp/covost2NativeJa", r"^covost.*ja_en\.tsv$", partial(extract.column, name=1)),
        ),
        whole=False,
        unique=True,
    ),
    Source(
        "tatoeba",
        "CC BY 2.0 FR",
        tuple((name, path, partial(extract.column, name=0)) for name, path in TATOEBA),
        whole=False,
        unique=True,
    ),
    Source(
        "stories",
        "CC BY",
        (
            ("global-asp/asp-source", r"^en/[0-9].*\.md$", extract.story),
            ("global-asp/pb-source", r"^en/[0-9].*\.md$", extract.story),
        ),
    ),
    Source(
        "requests",
        "CC BY 3.0 and 4.0",
        (
            ("clinc/oos-eval", r"^data/data_full\.json$", extract.requests),
            (
                "PolyAI-LDN/task-specific-datasets",
                r"^(banking_data/(train|test)\.csv|span_extraction/restaurant8k/.*\.json)$",
                extract.requests,
            ),
        ),
        whole=False,
        unique=True,
    ),
    Source(
        "questions",
        "CC BY-SA 4.0",
        ((f"{GOOGLE}/query-wellformedness", r"^(train|dev|test)\.tsv$", _well_formed),),
        whole=False,
        unique=True,
    ),
    Source(
        "word-problems",
        "MIT",
        (
            (
                "openai/grade-school-math",
                r"^grade_school_math/data/(train|test)\.jsonl$",
                extract.question_answer,
            ),
        ),
        whole=False,
        unique=True,
    ),
    Source(
        "wikipedia",
        "CC BY-SA 3.0",
        (("chinapedia/wikipedia.abstract.en", r"^Page/[^.].*\.md$", extract.article),),
    ),
    Source(
        "wikipedia-sets",
        "CC BY-SA 3.0 and 4.0",
        (
            ("pytorch/examples", r"wikitext-2/(valid|test)\.txt$", _wikitext),
            ("piskvorky/gensim", r"enwiki-latest-pages-articles1.*shortened\.bz2$", _articles),
            (f"{GOOGLE}/wiki-split", r"^(test|tune|validation)\.tsv$", _last_column),
            (
                f"{GOOGLE}/gap-coreference",
                r"^gap-.*\.tsv$",
                partial(_detokenised_column, name="Text"),
            ),
            ("google-deepmind/xquad", r"^xquad\.en\.json$", extract.question_answer),
            ("thunlp/FewRel", r"^data/val_wiki\.json$", extract.question_answer),
            (f"{GOOGLE}/QED", r"^qed-dev\.jsonlines$", extract.question_answer),
        ),
        whole=False,
        unique=True,
    ),
    Source(
        "textbooks",
        "CC BY 4.0",
        tuple((name, r"^modules/.*\.cnxml$", extract.textbook) for name in OPENSTAX),
    ),
)
