"""Search hyperparameters: ``python -m recipes.tuning --help``."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec
import numpy as np

from asr_gru.errors import DataError
from recipes.command_line import log, needed, one_line_errors, positive, whole_number

with needed(__name__, "tuning"):
    from asr_gru.training.config import TrainConfig
    from asr_gru.training.config_file import load_train_config
    from asr_gru.training.run import locked
    from recipes.cells.pictures import save
    from recipes.cells.rows import slice_list
    from recipes.tuning.folds import LISTS, write_folds
    from recipes.tuning.search import (
        RATES,
        Plan,
        Pruner,
        configure,
        finished,
        load_optuna,
        open_study,
        run_trials,
    )

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

__all__ = ["main"]

BASE = Path(__file__).with_name("base.toml")


@one_line_errors("stopped; the same command goes on with the trial it was at")
def main(argv: Sequence[str] | None = None) -> int:
    """Search, print the table and draw what mattered; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m recipes.tuning",
        description="Search hyperparameters with Optuna, by cross-validation over speakers.",
    )
    parser.add_argument("--train", type=Path, required=True, help="manifest with speakers")
    parser.add_argument("--hours", type=positive, default=1.0, help="hours of --train to use")
    parser.add_argument("--longest-s", type=positive, default=6.0, help="longest utterance")
    parser.add_argument("--folds", type=int, default=3, help="folds without common speakers")
    parser.add_argument(
        "--trials", type=whole_number, default=20, help="trials, earlier ones included"
    )
    parser.add_argument("--pruner", choices=get_args(Pruner), default="median",
                        help="how bad trials are ended early")  # fmt: skip
    parser.add_argument("--config", type=Path, default=BASE, help="what trials have in common")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="changes",
        help="override a key of the configuration",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="seed of the search")
    parser.add_argument("--output", type=Path, default=Path("runs/tuning"), help="folder of study")
    parser.add_argument("--picture", type=Path, help="PNG file (default: in --output)")
    options = parser.parse_args(argv)
    if options.folds < 2 or options.seed < 0:
        parser.error("--folds has to be 2 or more, --seed 0 or more")
    load_optuna()
    base = load_base(options.config, options.changes)
    with locked(options.output, "--output"):
        run(options, base)
    return 0


def load_base(path: Path, changes: Sequence[str]) -> TrainConfig:
    """Return the configuration in a file, with the lists of a fold in place of its own."""
    base = load_train_config(path, changes)
    train, validation = ((name,) for name in LISTS)
    data = msgspec.structs.replace(base.data, train=train, validation=validation)
    return msgspec.structs.replace(base, data=data)


def run(options: argparse.Namespace, base: TrainConfig) -> None:
    """Search as the options say."""
    utterances = slice_list(options.train, options.hours, options.longest_s)
    folds = write_folds(utterances, options.folds, options.output / "data")
    listed = "".join((fold / "dev.tsv").read_text(encoding="utf-8") for fold in folds)
    setup = {
        "configuration": msgspec.json.decode(msgspec.json.encode(base)),
        "speech (--train, --hours, --longest-s, --folds)": hashlib.sha256(
            listed.encode()
        ).hexdigest(),
    }
    plan = Plan(base, folds, options.output / "cache", options.seed, options.pruner, log)
    study = open_study(options.output / "study.db", plan, setup)
    run_trials(study, plan, options.trials)
    if not completed(study):
        raise DataError("no trial was completed; give more --trials, or --pruner none")
    print_table(study)
    print_best(study, base)
    picture = options.picture or options.output / "importance.png"
    draw(study, picture)
    print(f"{picture} written", file=sys.stderr)


def completed(study: Study) -> list[FrozenTrial]:
    """Return the trials with a value, the best first."""
    states = load_optuna().trial.TrialState
    found = study.get_trials(states=(states.COMPLETE,))
    return sorted(found, key=lambda trial: trial.value or 0.0)


def pruned(study: Study) -> list[FrozenTrial]:
    """Return the pruned trials, those that came furthest first."""
    states = load_optuna().trial.TrialState
    found = study.get_trials(states=(states.PRUNED,))
    return sorted(found, key=lambda trial: -len(trial.intermediate_values))


def print_table(study: Study) -> None:
    """Print completed trials by loss, and pruned ones by how far they came."""
    print(f"{'trial':>5} {'layers':>6} {'width':>5} {'dropout':>7} {'optimiser':<9} "
          f"{'rate':>8} {'batch s':>7} {'loss':>13} {'errors %':>8}")  # fmt: skip
    ended = pruned(study)
    for trial in [*completed(study), *ended]:
        values = trial.params
        rate = RATES[values["optimiser"]] * values["rate_factor"]
        if trial in ended:
            result = f"pruned after {len(trial.intermediate_values)}"
        else:
            spread = float(np.std(trial.user_attrs["losses"], ddof=1))
            errors = float(np.mean(trial.user_attrs["rates"]))
            result = f"{trial.value:.3f} ± {spread:.3f} {errors:>8.1f}"
        print(
            f"{trial.number:>5} {values['layers']:>6} {values['width']:>5} "
            f"{values['dropout']:>7.2f} {values['optimiser']:<9} {rate:>8.2g} "
            f"{values['batch_s']:>7.0f} {result}"
        )
    print(f"{finished(study)} trials, {len(ended)} of them pruned; ± is over folds")


def print_best(study: Study, base: TrainConfig) -> None:
    """Print the best trial as options of ``asr-gru train``."""
    config = configure(base, study.best_trial.params)
    keys = {
        "encoder.layers": config.encoder.layers,
        "encoder.width": config.encoder.width,
        "encoder.dropout": round(config.encoder.dropout, 3),
        "optimiser.name": config.optimiser.name,
        "optimiser.learning_rate": float(f"{config.optimiser.learning_rate:.3g}"),
        "data.batch_s": round(config.data.batch_s, 1),
    }
    print("best: " + " ".join(f"--set {key}={value}" for key, value in keys.items()))


def draw(study: Study, path: Path) -> None:
    """Draw the importance of each parameter, and the validation losses on the first fold."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    bars, curves = figure.subplots(1, 2)
    shares = importances(study)
    names = sorted(shares, key=lambda name: shares[name])
    bars.barh(names, [shares[name] for name in names], color="tab:blue")
    bars.set_xlabel(f"importance (PED-ANOVA over {len(completed(study))} trials)")
    done = {trial.number for trial in completed(study)}
    shown = [*completed(study), *pruned(study)]
    for trial in shown:
        epochs = [epoch + 1 for epoch in trial.intermediate_values]
        losses = list(trial.intermediate_values.values())
        kept = trial.number in done
        best = kept and trial.number == study.best_trial.number
        colour = "tab:red" if best else "tab:blue" if kept else "tab:gray"
        curves.plot(epochs, losses, ".-", color=colour, linewidth=1, zorder=3 if best else 2)
    for colour, label in (("tab:red", "best"), ("tab:blue", "completed"), ("tab:gray", "pruned")):
        curves.plot([], [], ".-", color=colour, label=label)
    curves.set_xticks(range(1, 1 + max(len(trial.intermediate_values) for trial in shown)))
    curves.set_yscale("log")
    curves.set_xlabel("epoch, first fold")
    curves.set_ylabel("validation loss (nats per token)")
    curves.legend(fontsize=8)
    save(figure, path)


def importances(study: Study) -> dict[str, float]:
    """Return the importance of each parameter (PED-ANOVA, Watanabe et al. 2023); they sum to 1.

    Empty if all completed trials have the same parameters.
    """
    if len({tuple(sorted(trial.params.items())) for trial in completed(study)}) < 2:
        return {}
    importance = load_optuna().importance
    found: dict[str, float] = importance.get_param_importances(
        study, evaluator=importance.PedAnovaImportanceEvaluator()
    )
    return found


if __name__ == "__main__":
    sys.exit(main())
