"""The examples of docs/server.md, and the plain client, against a server with the bundled model."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import soxr

from asr_gru.cli.serve import command
from asr_gru.server.limits import CLOSE_CODES
from asr_gru.server.metrics import Metrics

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "server.md").read_text(encoding="utf-8")
HERE = "127.0.0.1:8000"
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
OWN = Metrics().text().decode()


@pytest.fixture(scope="module")
def address(serving, bundled):
    with serving(recognizer=bundled, name="en-small") as server:
        yield f"127.0.0.1:{server.port}"


def run(program, text, address):
    result = subprocess.run(
        program,
        input=text.replace(HERE, address),
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def texts(bundled):
    """The text of the recording at its own rate and at that of OpenAI's clients."""
    path = ROOT / "audio_samples" / "read.flac"
    samples, rate = soundfile.read(path, dtype="int16")
    changed = soxr.resample(samples, rate, 24_000)
    return bundled.transcribe(path).text, bundled.transcribe(changed, 24_000).text


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_examples_run(number, address, texts):
    out = run([sys.executable, "-"], PYTHON[number], address)
    text = texts["24_000" in PYTHON[number]]
    assert text
    assert text in " ".join(out.split())


@pytest.mark.skipif(not shutil.which("curl"), reason="no curl")
def test_curl_examples_run(address):
    subtitles, options = re.findall(r"```bash\n(curl .*?)```", TEXT, re.DOTALL)
    assert "-->" in run(["bash", "-"], subtitles, address)
    answer = json.loads(run(["bash", "-"], options, address))
    assert answer["spoken"] == answer["text"].lower()
    assert answer["segments"][0]["alternatives"][0]["text"] == answer["segments"][0]["spoken"]


def test_javascript_examples_run(address):
    node = shutil.which("node")
    if not node or "--experimental-websocket" not in run([node, "--help"], "", ""):
        pytest.skip("no node with WebSocket")
    text = re.search(r"```javascript\n(.*?)```", TEXT, re.DOTALL)[1]
    options = ["--no-warnings", "--experimental-websocket", "--input-type=module", "-"]
    assert '"type":"end"' in run([node, *options], text, address)


def test_the_example_client_runs(address, bundled):
    text = bundled.transcribe(ROOT / "audio_samples" / "read.flac").text
    example = ROOT / "examples" / "websocket_client.py"
    program = [sys.executable, example, "audio_samples/read.flac", f"ws://{address}/v1/stream"]
    assert f"final {text}" in run(program, "", "")


def test_every_limit_and_code_is_described():
    options = {name for parameter in command.params for name in parameter.opts}
    named = set(re.findall(r"`(--[a-z-]+)`", TEXT))
    assert named <= options
    limits = {f"--{name.replace('_', '-')}" for name in ("clients", "session_s", "idle_s")}
    assert limits <= named
    assert all(f"`{code}`" in TEXT for code in CLOSE_CODES)


def test_every_metric_is_described():
    metrics = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", OWN, re.MULTILINE))
    timestamps = {name for name in metrics if name.endswith("_created")}
    assert len(metrics) > len(timestamps)
    assert set(re.findall(r"^\| `(asr_gru_\w+)`", TEXT, re.MULTILINE)) == metrics - timestamps


def test_no_document_installs_the_unpublished_package_from_an_index():
    """Until the package is published, ``pip install`` works only with the project's folder."""
    documents = (path for path in (ROOT / "docs").rglob("*.*") if path.suffix != ".png")
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *documents):
        assert not re.search(r"pip install( -\S+)* '?asr-gru", path.read_text("utf-8")), path
