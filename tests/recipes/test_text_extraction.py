"""Plain text from books, dumps, tables and other formats."""

from __future__ import annotations

import bz2
import json

import pytest

from recipes.en_small.text import extract

ARTICLE = """)}}]] The BERLIN WALL (, ) was a _guarded_ concrete barrier.[1] It fell in 1989.[2][a]

Construction

-   a list of things that is not prose, with a full stop.

  A table   with columns
  ------- ------------

The wall was [long](http://example.org) (some 155 km (96 miles)) and white. It is gone now.

See also

Another paragraph that comes too late to be read by anybody.
"""


WIKI = """<mediawiki><page><title>Owl</title><text xml:space="preserve">{{Infobox|x}}
'''Owls''' are [[bird]]s of the [[order (biology)|order]] &quot;Strigiformes&quot;.<ref>a</ref>
* a list entry that is long enough to be taken for prose
==References==
Nothing of this line is wanted in the text of the article.
</text></page>"""


EXTRACTS = {
    "book": (
        extract.book,
        (
            "by Nobody\n*** START OF THE BOOK ***\n\nCHAPTER ONE\n\nIt was a\ndark *night*.\n\n"
            "*** END OF THE BOOK ***\nLicence text of some length."
        ),
        "It was a dark night.",
    ),
    "lines": (extract.lines, "A HEADING HERE\r\nA line of it.\nno", "A line of it."),
    "transcript": (extract.transcript, "**Ann:** So \\[laughs\\] `yes`.", " So  yes."),
    "speech": (
        extract.speech,
        "THE SPEAKER. My friends (Applause) [pause] now.",
        "My friends   now.",
    ),
    "article": (
        extract.article,
        ARTICLE,
        (
            "The BERLIN WALL was a guarded concrete barrier. It fell in 1989.\n"
            "The wall was long and white. It is gone now."
        ),
    ),
    "textbook": (
        extract.textbook,
        (
            '<document xmlns="http://cnx.rice.edu/cnxml"><title>T</title><para id="a">One <term>two'
            "</term>\nthree.</para></document>"
        ),
        "One two three.",
    ),
    "textbook with entities": (
        extract.textbook,
        '<!DOCTYPE d [<!ENTITY a "b">]><document><para>&a;</para></document>',
        "",
    ),
    "story": (
        extract.story,
        "# A Title\n\n##\nOne day, a\nman ran.\n\n##\nHe fell.\n\n##\n* License: [CC-BY]\n",
        "One day, a man ran.\nHe fell.",
    ),
    "story for no commerce": (extract.story, "A man ran far.\n\n##\n* License: [CC-BY-NC]", ""),
    "requests in a table": (extract.requests, 'text,category\n"My, card?",a\n', "My, card?"),
    "requests with intents": (extract.requests, '{"train": [["hi you", "greet"]]}', "hi you"),
    "requests with slots": (
        extract.requests,
        '[{"userInput": {"text": "five people"}}]',
        "five people",
    ),
    "dialogues": (
        extract.dialogues,
        json.dumps([{"turns": [{"utterance": "Hi.", "frames": [{"text": "no"}]}]}]),
        "Hi.",
    ),
    "questions": (
        extract.question_answer,
        json.dumps({"data": [{"context": "A b c.", "qas": [{"question": "Who?", "id": "q"}]}]}),
        "A b c.\nWho?",
    ),
    "question lines": (
        extract.question_answer,
        '{"question": "How many?", "answer": "<<1+1=2>>"}\n{"question": "Why?"}\n',
        "How many?\nWhy?",
    ),
}


@pytest.mark.parametrize("name", EXTRACTS)
def test_texts_are_extracted_from_every_format(name):
    function, content, expected = EXTRACTS[name]
    assert function(content.encode()) == expected


def test_columns_are_selected_by_index_and_name():
    table = b"id\tsentence\n1\tOne.\n2\tTwo.\n3\n"
    assert extract.column(table, "sentence") == "One.\nTwo."
    assert extract.column(table, 1) == "sentence\nOne.\nTwo."
    assert extract.column(table, "other") == ""


def test_articles_are_extracted_from_a_dump():
    titles = dict(extract.mediawiki(bz2.compress(WIKI.encode())))
    assert titles == {"Owl": 'Owls are birds of the order "Strigiformes".'}


def test_tokens_are_joined():
    text = " = Heading = \nthe <unk> one . \nDo n't , he said ( 1 @.@ 5 m ) ."
    assert extract.tokenised(text).split("\n")[-1] == "Don't, he said (1.5 m)."
