"""Model directories: opened, verified and written as a whole."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from asr_gru.errors import ModelError, did_you_mean
from asr_gru.files import sync_folder, write_bytes
from asr_gru.model.acoustic import AcousticInfo
from asr_gru.model.config import FileRecord, ModelConfig, parse_config
from asr_gru.text import Tokenizer, load_tokenizer

__all__ = [
    "CONFIG",
    "LANGUAGE",
    "LEXICON",
    "TRIGRAM",
    "ModelDirectory",
    "bundled_models",
    "write_model_config",
    "write_model_directory",
]

CONFIG, GRAPH, WEIGHTS = "config.json", "acoustic.onnx", "weights.npz"
FLOAT_GRAPH = "acoustic.float.onnx"
LEXICON, LANGUAGE = "lexicon.bin", "language.bin"
TRIGRAM = "trigram.bin"
UNLISTED = frozenset({CONFIG, "README.md", "LICENSE", ".DS_Store"})
MAX_CONFIG_BYTES = 1_000_000
BUNDLED = Path(__file__).parents[1] / "models"


def bundled_models() -> list[str]:
    """Return the names of the models that are part of the package."""
    if not BUNDLED.is_dir():
        return []
    return sorted(folder.name for folder in BUNDLED.iterdir() if (folder / CONFIG).is_file())


@dataclass(frozen=True, slots=True)
class ModelDirectory:
    """A verified model directory.

    Attributes:
        path: the folder.
        config: the content of its ``config.json``.
    """

    path: Path
    config: ModelConfig

    @classmethod
    def open(cls, model: str | Path, *, verify: bool = True) -> ModelDirectory:
        """Open a bundled model by name, or a model directory.

        Args:
            model: name or folder.
            verify: compare the SHA-256 of each file with ``config.json``, not only its size.

        Raises:
            ModelError: there is no such model, or a file is missing, unreadable, truncated, altered
                or unknown.
        """
        path = _find(model)
        try:
            with (path / CONFIG).open("rb") as file:
                data = file.read(MAX_CONFIG_BYTES + 1)
        except OSError as error:
            raise ModelError(
                f"{path}: no readable {CONFIG} ({error.strerror}); give a folder that "
                "asr-gru export wrote"
            ) from None
        if len(data) > MAX_CONFIG_BYTES:
            raise ModelError(f"{path / CONFIG}: too large to be a model's configuration")
        try:
            config = parse_config(data)
        except ModelError as error:
            raise ModelError(f"{path / CONFIG}: {error}") from None
        try:
            _check_files(path, config, verify=verify)
        except OSError as error:
            raise ModelError(
                f"{str(error.filename or path)[:200]}: {error.strerror}; copy the whole model "
                "directory again, to where it can be read"
            ) from None
        return cls(path, config)

    @property
    def acoustic_path(self) -> Path:
        """Path of the int8 graph."""
        return self.path / GRAPH

    @property
    def info(self) -> AcousticInfo:
        """Properties of the acoustic model."""
        config = self.config
        return AcousticInfo(
            sample_rate=config.sample_rate,
            frame_samples=config.frame_samples,
            step_samples=config.step_samples,
            lookahead_frames=config.lookahead_frames,
            vocab_size=config.tokens.count,
            streaming=config.streaming,
        )

    @property
    def has_lexicon(self) -> bool:
        """Whether the model can search for words."""
        return LEXICON in self.config.files

    def tokenizer(self) -> Tokenizer:
        """Load the tokenizer.

        Raises:
            ModelError: the list of tokens does not match ``config.json``.
        """
        expected = self.config.tokens
        tokenizer = load_tokenizer(self.path / expected.file, expected.kind)
        if len(tokenizer) != expected.count or tokenizer.kind != expected.kind:
            raise ModelError(f"{self.path}: {expected.file} does not match {CONFIG}")
        return tokenizer


def _find(model: str | Path) -> Path:
    names = bundled_models()
    if isinstance(model, str) and model in names:
        return BUNDLED / model
    path = Path(model)
    try:
        exists = path.exists()
    except OSError:  # the name is too long for the file system
        exists = False
    if exists and path.is_dir():
        return path
    if exists:
        raise ModelError(f"{path}: is a file; give the model's folder")
    known = f"; bundled: {', '.join(names)}" if names else ""
    raise ModelError(f"no model {str(model)!r}{did_you_mean(str(model), names)}{known}")


def _check_files(path: Path, config: ModelConfig, *, verify: bool) -> None:
    words = [LEXICON] if config.decoder.kind == "words" or LANGUAGE in config.files else []
    for needed in (GRAPH, config.tokens.file, *words):
        if needed not in config.files:
            raise ModelError(f"{path / CONFIG}: does not list {needed}")
    for name, record in config.files.items():
        if name in ("", ".", "..") or any(mark in name for mark in "/\\\0:"):
            raise ModelError(f"{path / CONFIG}: {name!r} is not a file name")
        file = path / name
        if not file.is_file() or file.is_symlink():
            raise ModelError(f"{file}: missing; copy the whole model directory again")
        size = file.stat().st_size
        if size != record.bytes:
            raise ModelError(f"{file}: has {size} bytes instead of {record.bytes}; copy it again")
        if verify and _sha256(file) != record.sha256:
            raise ModelError(f"{file}: altered (its SHA-256 differs); copy it again")
    for file in sorted(path.iterdir()):
        if file.name not in config.files and file.name not in UNLISTED:
            raise ModelError(f"{file}: does not belong to the model; remove it from the folder")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_model_config(directory: ModelDirectory, config: ModelConfig) -> None:
    """Replace the configuration of a model directory; its other files stay as they are."""
    files = {name: (directory.path / name).read_bytes() for name in directory.config.files}
    write_model_directory(directory.path, config, files)


def write_model_directory(
    path: str | Path, config: ModelConfig, files: Mapping[str, bytes]
) -> ModelDirectory:
    """Write and verify a model directory in a temporary folder, then move it to ``path``.

    An existing model directory is replaced; any other existing folder is refused.

    Raises:
        ModelError: ``path`` exists and is not a model directory.
    """
    path = Path(path).absolute()
    if path.exists() and not path.is_dir():
        raise ModelError(f"{path}: is a file; give the name of a folder")
    if path.exists() and not (path / CONFIG).is_file() and any(path.iterdir()):
        raise ModelError(f"{path}: exists and is not a model directory; give another name")
    records = {
        name: FileRecord(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
        for name, data in files.items()
    }
    config = msgspec.structs.replace(config, files=records)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}-") as work:
        folder = Path(work) / path.name
        folder.mkdir()
        for name, data in files.items():
            write_bytes(folder / name, data)
        text = msgspec.json.format(msgspec.json.encode(config), indent=2)
        write_bytes(folder / CONFIG, text + b"\n")
        ModelDirectory.open(folder)
        if path.exists():
            for kept in UNLISTED - {CONFIG}:
                if (path / kept).is_file():
                    shutil.copy2(path / kept, folder / kept)
            path.replace(Path(work) / "replaced")
        try:
            folder.replace(path)
        except OSError:
            if not path.exists() and (Path(work) / "replaced").exists():
                (Path(work) / "replaced").replace(path)
            raise
        sync_folder(path.parent)
    return ModelDirectory.open(path)
