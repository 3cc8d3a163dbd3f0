"""Write the phone trigram of a recipe's training texts into a run or a model directory.

    python -m recipes.en_small.trigram recipes/en_small/recipe.toml --stage gpu --root DATA MODEL

``asr-gru train`` writes it into each run, and ``asr-gru export`` copies it. This is for runs of the
stage ``gpu``, which have none, and for models that were exported without it.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from asr_gru.errors import DataError
from asr_gru.language.token_trigram import TokenTrigram
from asr_gru.model.directory import CONFIG, TRIGRAM, ModelDirectory, write_model_directory
from asr_gru.text import TOKENS, load_tokenizer
from recipes.command_line import needed, one_line_errors

with needed(__name__, "train"):
    from asr_gru.training.config import DataConfig
    from asr_gru.training.dataset import read_utterances
    from asr_gru.training.pronunciations import load_pronunciations
    from asr_gru.training.recipe import choose_stage, load_recipe


def estimate(data: DataConfig, root: Path, symbols: Sequence[str]) -> TokenTrigram:
    """Estimate the trigram of the training texts.

    Raises:
        DataError: the data is not of phones, or not of these.
    """
    if data.tokens != "phones":
        raise DataError(f"data.tokens = {data.tokens!r}; give a stage that trains phones")
    ids = {symbol: index for index, symbol in enumerate(symbols)}
    texts = load_pronunciations(data, root).to_phones(read_utterances(data.train, root, data))
    spoken = [u.text.split() for u in texts.utterances if u.key not in texts.missing]
    unknown = {phone for phones in spoken for phone in phones} - ids.keys()
    if unknown:
        raise DataError(f"the model has no phone {min(unknown)}; give the model of this recipe")
    sequences = [[ids[phone] for phone in phones] for phones in spoken]
    noise: list[list[int]] = [[] for _ in range(round(data.noise_only * len(sequences)))]
    return TokenTrigram.estimate([*sequences, *noise], symbols)


def add(trigram: TokenTrigram, folder: Path) -> Path:
    """Write the trigram into a run, or into a model directory with its checksum."""
    if not (folder / CONFIG).is_file():
        trigram.save(folder / TRIGRAM)
        return folder / TRIGRAM
    directory = ModelDirectory.open(folder)
    files = {name: (folder / name).read_bytes() for name in directory.config.files}
    with tempfile.TemporaryDirectory() as name:
        trigram.save(Path(name) / TRIGRAM)
        files[TRIGRAM] = (Path(name) / TRIGRAM).read_bytes()
    return write_model_directory(folder, directory.config, files).path / TRIGRAM


@one_line_errors()
def main() -> int:
    """Estimate and write; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path, help="recipe or configuration")
    parser.add_argument("folder", type=Path, metavar="MODEL", help="run or model directory")
    parser.add_argument("--stage", help="stage of the recipe")
    parser.add_argument("--root", type=Path, required=True, help="data root")
    options = parser.parse_args()
    stages = load_recipe(options.config)
    stage = choose_stage(stages, options.stage, options.config) if options.stage else stages[-1]
    symbols = load_tokenizer(options.folder / TOKENS).symbols
    written = add(estimate(stage.config.data, options.root, symbols), options.folder)
    print(f"{written}: {written.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
