"""The files of the page, and what runs its modules."""

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "asr_gru" / "server" / "page"
FILES = sorted(path for path in PAGE.iterdir() if path.suffix in (".html", ".css", ".js"))
SCRIPTS = [path for path in FILES if path.suffix == ".js"]
NODE = shutil.which("node")
READ = "import { readFileSync } from 'node:fs'; const given = JSON.parse(readFileSync(0));"
"""Start of a script that receives ``given`` as JSON."""
