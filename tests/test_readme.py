"""Examples of README and docs run; their commands, paths and links exist."""

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from asr_gru import Alignment, Alternative, Match, Phone, Segment, Transcript, Word, WordAlternative
from asr_gru.cli import COMMANDS, main
from asr_gru.formats import WRITERS
from asr_gru.model.directory import ModelDirectory

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
LIVE = (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
PHRASES = (ROOT / "docs" / "phrases.md").read_text(encoding="utf-8")
GRAMMARS = (ROOT / "docs" / "grammars.md").read_text(encoding="utf-8")
HOT_WORDS = (ROOT / "docs" / "hot-words.md").read_text(encoding="utf-8")
LANGUAGE = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
ALIGNMENT = (ROOT / "docs" / "alignment.md").read_text(encoding="utf-8")
ADAPTATION = (ROOT / "docs" / "adaptation.md").read_text(encoding="utf-8")
PYTHON = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
OWN_DATA = (ROOT / "docs" / "own-data.md").read_text(encoding="utf-8")
EXAMPLES = (ROOT / "docs" / "examples.md").read_text(encoding="utf-8")
DOCUMENTS = (
    README
    + LIVE
    + LANGUAGE
    + PHRASES
    + GRAMMARS
    + HOT_WORDS
    + ALIGNMENT
    + ADAPTATION
    + PYTHON
    + OWN_DATA
)
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENTS, re.DOTALL)
NUMBER = r"-?\d+\.\d+"


@pytest.fixture(autouse=True)
def _in_the_project(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_python_examples_run(number, capsys):
    exec(compile(BLOCKS[number], f"example {number}", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.strip()


@pytest.mark.slow
def test_python_examples_pass_strict_type_checks(tmp_path):
    examples = [*BLOCKS, *re.findall(r"```python\n(.*?)```", EXAMPLES, re.DOTALL)]
    for number, example in enumerate(examples):
        (tmp_path / f"example_{number}.py").write_text(example, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", f"--config-file={ROOT / 'pyproject.toml'}"]
    result = subprocess.run([*command, tmp_path], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_the_readme_has_python_examples():
    assert len(BLOCKS) >= 8


def test_the_first_command_prints_a_transcript(monkeypatch, capsys):
    command = re.search(r"^(asr-gru transcribe .*)$", README, re.MULTILINE)[1]
    monkeypatch.setattr("sys.argv", shlex.split(command))
    with pytest.raises(SystemExit) as end:
        main()
    out = capsys.readouterr().out.strip()
    assert end.value.code == 0
    assert len(out.split()) > 3
    assert out == out.lower()


def test_ci_runs_the_test_command_of_the_readme():
    found = re.findall(r"^pip install .*&& (python -m pytest)$", README, re.MULTILINE)
    assert found == ["python -m pytest"]


def test_the_readme_links_every_page():
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")}
    assert pages <= set(re.findall(r"\]\((docs/[\w.-]+)", README))


def test_the_readme_describes_every_command():
    rows = re.findall(r"^\| `asr-gru ([\w-]+)", README, re.MULTILINE)
    assert set(rows) == set(COMMANDS)


def test_documented_commands_exist():
    assert set(re.findall(r"`asr-gru ([\w-]+)", DOCUMENTS)) <= set(COMMANDS)


def test_documented_paths_exist():
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = document.read_text(encoding="utf-8")
        for name in re.findall(
            r"`((?:docs|recipes|benchmarks|studies|audio_samples|examples)/[\w./-]*)`", text
        ):
            assert (ROOT / name).exists(), f"{document.name}: {name}"


@pytest.mark.parametrize(
    ("page", "example"),
    [
        (PYTHON, "[^`]*written=True.*?"),
        (PYTHON, "[^`]*alternatives=5.*?"),
        (PYTHON, "[^`]*minimum_confidence=.*?"),
        (GRAMMARS, ".*?"),
    ],
)
def test_an_example_prints_what_its_page_says(page, example, capsys):
    pattern = rf"```python\n({example})```\n\nprints\n\n```\n(.*?)```"
    program, printed = re.search(pattern, page, re.DOTALL).groups()
    exec(compile(program, "example", "exec"), {})  # noqa: S102
    shown = capsys.readouterr().out
    assert re.sub(NUMBER, "#", shown) == re.sub(NUMBER, "#", printed)
    assert [*map(float, re.findall(NUMBER, shown))] == pytest.approx(
        [*map(float, re.findall(NUMBER, printed))], abs=0.1
    )


def _keys(document):
    """Yield the names of all fields of a JSON document."""
    if isinstance(document, dict):
        yield from document
    for one in document.values() if isinstance(document, dict) else document:
        if isinstance(one, dict | list):
            yield from _keys(one)


def test_every_format_and_every_field_of_json_is_described():
    described = PYTHON.partition("\n## Files\n")[2].partition("\n## Types\n")[0]
    phone = Phone("AH", 0.0, 1.0, 1.0)
    word = Word(
        "a", 0.0, 1.0, 1.0, (phone,), uncertain=True, alternatives=(WordAlternative("a", 1),)
    )
    segments = []
    for match in (Match(phrase="a", index=0), Match(intent="a")):
        plain = Segment.from_words(0, (word,), match)
        found = Alternative("a", (word,), -1.0, 1.0, match)
        segments.append(replace(plain, written_words=(word,), alternatives=(found,)))
    keys = set(_keys(Alignment(Transcript(tuple(segments), 1.0)).to_dict()))
    assert {"phones", "uncertain", "log_prob", "parse", "written_words", "mismatches"} <= keys
    assert {name for name in [*keys, *WRITERS] if f"`{name}`" not in described} == set()


def _anchors(path):
    """Return GitHub's anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_point_to_files_and_headings():
    pages = [
        ROOT / "README.md",
        *(p for d in ("docs", "recipes", "studies") for p in (ROOT / d).rglob("*.md")),
    ]
    links = 0
    for page in pages:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if target.startswith(("http:", "https:", "mailto:")):
                continue
            name, _, anchor = target.partition("#")
            path = (page.parent / name).resolve() if name else page
            assert path.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in _anchors(path), f"{page.name}: {target}"
            links += 1
    assert links > 20


def test_the_bundled_model_has_the_rates_of_the_table():
    row = re.compile(r"^\| `([a-z0-9-]+)` \|.*\| ([0-9.]+) \([0-9.-]+\) \|", re.MULTILINE)
    rates = ModelDirectory.open("en-small").config.word_error_rates
    assert rates == {name: float(rate) for name, rate in row.findall(README)}
