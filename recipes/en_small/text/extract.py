"""The running text of each kind of file: books, articles, transcripts, tables, dialogues."""

from __future__ import annotations

import bz2
import csv
import html
import io
import json
import re
from collections.abc import Iterator
from typing import Any
from xml.parsers import expat

__all__ = [
    "article",
    "book",
    "column",
    "dialogues",
    "lines",
    "mediawiki",
    "question_answer",
    "requests",
    "speech",
    "story",
    "textbook",
    "tokenised",
    "transcript",
]

PARAGRAPH = re.compile(r"\n[ \t]*\n+")
EMPHASIS = str.maketrans("", "", "*_#>")


def _decode(content: bytes) -> str:
    return content.decode("utf-8", "ignore").replace("\r", "")


def book(content: bytes) -> str:
    """Paragraphs of a book, without the notices of Project Gutenberg and headings."""
    text = _decode(content)
    if start := re.search(r"\*\*\* ?START OF.*\n", text):
        text = text[start.end() :]
    if end := re.search(r"\*\*\* ?END OF", text):
        text = text[: end.start()]
    paragraphs = PARAGRAPH.split(text.translate(EMPHASIS))
    return "\n".join(
        " ".join(paragraph.split())
        for paragraph in paragraphs
        if len(paragraph) > 8 and not paragraph.isupper()
    )


def story(content: bytes) -> str:
    """Paragraphs of a story of the African Storybook or StoryWeaver, if its licence is CC BY."""
    text, _, about = _decode(content).partition("* License:")
    if about.split("\n")[0].strip() not in {"[CC-BY]", "[Public Domain]"}:
        return ""
    paragraphs = re.split(r"\n\s*(?:#+[^\n]*)?\n", text)
    return "\n".join(
        " ".join(p.split()) for p in paragraphs if not p.lstrip().startswith("#") and len(p) > 2
    )


def lines(content: bytes) -> str:
    """Lines of a text as they are, without headings in capitals."""
    text = _decode(content).translate(EMPHASIS)
    return "\n".join(line for line in text.split("\n") if len(line) > 8 and not line.isupper())


def transcript(content: bytes) -> str:
    """The speech in a transcript in Markdown, without **speakers** and [remarks]."""
    text = re.sub(r"(?m)^\*\*.*?\*\*:?", "", _decode(content))
    return re.sub(r"\\?\[[^\]\n]*\]", "", text).translate(EMPHASIS).replace("`", "")


def speech(content: bytes) -> str:
    """A speech, without SPEAKERS, [remarks] and (Applause)."""
    text = re.sub(r"(?m)^(Q|[A-Z][A-Z .]{2,30}|The President|President)[.:] ", "", _decode(content))
    return re.sub(r"\[[^\]\n]*\]|\((?:Applause|Laughter)[^)\n]*\)", "", text)


# Sections after which an article holds no more prose.
BACK_MATTER = re.compile(
    r"(?m)^(?:References|Notes|See also|External links|Further reading|Bibliography|Sources"
    r"|Footnotes|Citations|Discography|Filmography|Works|Publications)\s*$"
)


def article(content: bytes) -> str:
    """Prose of an encyclopaedia article in pandoc's Markdown.

    Headings, lists, tables, footnotes and everything in parentheses (dates of birth,
    transcriptions) is left out.
    """
    text = BACK_MATTER.split(_decode(content), maxsplit=1)[0]
    text = re.sub(r"!?\[([^\]\n]*)\]\([^)\n]*\)", r"\1", text)
    text = re.sub(r"\[\^?[0-9]+\]|\[[a-z]\]", "", text)
    for _ in range(3):
        text = re.sub(r"\s?\([^()\n]*\)", "", text)
    kept: list[str] = []
    for paragraph in PARAGRAPH.split(text.replace("\\", "")):
        if "\n " in paragraph or paragraph.startswith((" ", "-", "|", "+", "[", "Category:")):
            continue
        paragraph = paragraph.translate(EMPHASIS)
        head = paragraph.rfind("]]", 0, 200)  # the rest of a template
        paragraph = paragraph[head + 2 if head >= 0 else 0 :].strip()
        if len(paragraph) > 40 and paragraph.rstrip("\"'”’)")[-1:] in {".", "?", "!"}:
            kept.append(" ".join(paragraph.split()))
    return "\n".join(kept)


def mediawiki(content: bytes) -> Iterator[tuple[str, str]]:
    """Title and prose of each article of a bzip2-compressed MediaWiki dump, cut short or not."""
    text = bz2.BZ2Decompressor().decompress(content).decode("utf-8", "ignore")
    for page in re.finditer(r"(?s)<title>(.*?)</title>.*?<text[^>]*>(.*?)</text>", text):
        prose = html.unescape(page[2])
        prose = re.sub(
            r"(?s)<!--.*?-->|<ref[^>]*/>|<ref.*?</ref>|<math>.*?</math>|<[^>]+>", "", prose
        )
        for _ in range(4):
            prose = re.sub(r"(?s)\{\{[^{}]*\}\}|\{\|.*?\|\}", "", prose)
        prose = re.sub(
            r"\[\[(?:File|Image|Category)[^\[\]]*(?:\[\[[^\]]*\]\][^\[\]]*)*\]\]", "", prose
        )
        prose = re.sub(r"\[\[(?:[^\]|]*\|)?([^\]]*)\]\]", r"\1", prose)
        prose = re.sub(r"\[https?:[^ \]]* ?([^\]]*)\]", r"\1", prose)
        prose = re.split(r"==\s*(?:References|External links|See also)", prose)[0]
        prose = re.sub(r"'{2,}", "", prose).replace("\xa0", " ")
        kept = [p for p in prose.split("\n") if len(p) > 40 and p[0] not in "*|!=:;#{"]
        yield page[1], "\n".join(kept)


def tokenised(text: str) -> str:
    """Text of a corpus that was cut into tokens, put together again."""
    text = re.sub(r" @(.)@ ", r"\1", text.replace(" <::::> ", "\n"))
    text = "\n".join(line for line in text.split("\n") if not line.strip().startswith("= "))
    text = re.sub(r"[^.!?;\n]*<unk>[^.!?;\n]*", " ", text)
    text = text.replace("``", '"').replace("''", '"').replace("( ", "(")
    return re.sub(r" ([.,;:?!)'])", r"\1", text).replace(" n't", "n't")


def textbook(content: bytes) -> str:
    """Paragraphs of a module in CNXML; one that declares entities, or is cut, gives none."""
    paragraphs: list[str] = []
    depth = 0
    parser = expat.ParserCreate()

    def start(name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        if name == "para":
            if not depth:
                paragraphs.append("")
            depth += 1

    def end(name: str) -> None:
        nonlocal depth
        depth -= name == "para"

    def characters(data: str) -> None:
        if depth:
            paragraphs[-1] += data

    def refuse(*_arguments: object) -> None:
        raise ValueError("entities")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = characters
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError):
        return ""
    return "\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def column(content: bytes, name: str | int) -> str:
    """A column of a table with tabs, by its place, or its name in the header."""
    rows = [row.split("\t") for row in _decode(content).split("\n")]
    if isinstance(name, str):
        header, *rows = rows
        name = header.index(name) if name in header else len(header)
    return "\n".join(row[name] for row in rows if len(row) > name)


def dialogues(content: bytes) -> str:
    """Every ``utterance`` and ``text`` of JSON dialogues, in order."""
    return "\n".join(_spoken(json.loads(content)))


def _spoken(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for part in node:
            yield from _spoken(part)
    elif isinstance(node, dict):
        for key, part in node.items():
            if key in {"utterance", "text"} and isinstance(part, str):
                yield part
            elif key in {"turns", "utterances", "dialogues", "dialogs"}:
                yield from _spoken(part)
            elif key == "context" and isinstance(part, str) and part.startswith("["):
                try:
                    yield from _spoken(json.loads(part))
                except json.JSONDecodeError:
                    continue


def requests(content: bytes) -> str:
    """Requests to an assistant: ``[text, intent]`` pairs, ``userInput``, or a CSV table."""
    text = _decode(content)
    if text.startswith("text,category"):
        return "\n".join(
            row[0] for row in csv.reader(io.StringIO(text)) if row and row[0] != "text"
        )
    document = json.loads(text)
    if isinstance(document, dict):
        return "\n".join(pair[0] for pairs in document.values() for pair in pairs)
    return "\n".join(turn["userInput"]["text"] for turn in document)


def question_answer(content: bytes) -> str:
    """Contexts and questions of a data set for question answering, in JSON or JSON lines."""
    text = _decode(content)
    try:
        documents = [json.loads(text)]
    except json.JSONDecodeError:
        documents = [json.loads(row) for row in text.split("\n") if row.startswith("{")]
    return "\n".join(part for document in documents for part in _asked(document))


def _asked(node: Any) -> Iterator[str]:
    wanted = {"context", "question", "paragraph_text", "question_text"}
    if isinstance(node, list):
        if node and all(isinstance(part, str) for part in node):
            return
        for part in node:
            yield from _asked(part)
    elif isinstance(node, dict):
        for key, part in node.items():
            if key == "tokens" and isinstance(part, list):
                yield tokenised(" ".join(part))
            elif key in wanted and isinstance(part, str):
                yield part
            else:
                yield from _asked(part)
