"""The search space, and a study of trials that can be stopped and resumed."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from asr_gru.errors import ConfigError, MissingExtraError
from asr_gru.training.config import OptimiserConfig, TrainConfig
from recipes.tuning.folds import FoldResult, train_fold

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.pruners import BasePruner

__all__ = [
    "RATES",
    "Plan",
    "Pruner",
    "configure",
    "finished",
    "load_optuna",
    "open_study",
    "run_trials",
]

Pruner = Literal["median", "hyperband", "none"]
RATES: Mapping[str, float] = {"adamw": 6e-3, "rmsprop": 6e-3, "sgd": 1.0, "muon": 1e-2}
"""Learning rate at a ``rate_factor`` of 1, as found in ``recipes/cells/README.md``."""
LAYERS = (1, 4)
WIDTHS = (64, 96, 128, 192, 256)
DROPOUT = (0.0, 0.4)
RATE_FACTOR = (0.1, 4.0)
BATCH_S = (10.0, 80.0)
REPEATS = "repeats"
"""Attribute of a trial that repeats a failed one: the number of that."""
STARTUP_TRIALS = 4
"""Trials whose parameters are random, and before which none is pruned by the median."""


class Plan(NamedTuple):
    """What is tuned, on what.

    Attributes:
        base: what all trials have in common.
        folds: folders of the folds.
        cache: decoded recordings.
        seed: seed of the search.
        pruner: how bad trials are found.
        log: receives progress, line by line.
    """

    base: TrainConfig
    folds: Sequence[Path]
    cache: Path
    seed: int
    pruner: Pruner
    log: Callable[[str], None]


def load_optuna() -> Any:
    """Import Optuna, with its own messages turned off.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise MissingExtraError("optuna", "tuning") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def suggest(trial: Trial) -> dict[str, Any]:
    """Choose the parameters of a trial."""
    return {
        "layers": trial.suggest_int("layers", *LAYERS),
        "width": trial.suggest_categorical("width", WIDTHS),
        "dropout": trial.suggest_float("dropout", *DROPOUT),
        "optimiser": trial.suggest_categorical("optimiser", tuple(RATES)),
        "rate_factor": trial.suggest_float("rate_factor", *RATE_FACTOR, log=True),
        "batch_s": trial.suggest_float("batch_s", *BATCH_S, log=True),
    }


def configure(base: TrainConfig, parameters: Mapping[str, Any]) -> TrainConfig:
    """Return the configuration of a trial."""
    replace = msgspec.structs.replace
    name = parameters["optimiser"]
    return replace(
        base,
        data=replace(base.data, batch_s=parameters["batch_s"]),
        encoder=replace(
            base.encoder,
            layers=parameters["layers"],
            width=parameters["width"],
            dropout=parameters["dropout"],
        ),
        optimiser=replace(
            base.optimiser, name=name, learning_rate=RATES[name] * parameters["rate_factor"]
        ),
    )


def base_parameters(base: TrainConfig) -> dict[str, Any]:
    """Return the parameters of the base, which is the first trial.

    Raises:
        ConfigError: the base is outside the search space, or has a key that trials cannot follow.
    """
    unsupported = {
        "data.noise_only": base.data.noise_only > 0,
        "phones.file": bool(base.phones.file),
        "distillation.teacher": bool(base.distillation.teacher),
        "ctc_crf_weight": base.ctc_crf_weight > 0,
        "optimiser.accumulate": base.optimiser.accumulate > 1,
    }
    used = [key for key, is_used in unsupported.items() if is_used]
    if used:
        raise ConfigError(f"{', '.join(used)}: not supported in trials; leave out of the base")
    optimiser: OptimiserConfig = base.optimiser
    if optimiser.name not in RATES:
        raise ConfigError(
            f"optimiser.name = {optimiser.name!r} is not searched; give one of {', '.join(RATES)}"
        )
    parameters: dict[str, Any] = {
        "layers": base.encoder.layers,
        "width": base.encoder.width,
        "dropout": base.encoder.dropout,
        "optimiser": optimiser.name,
        "rate_factor": optimiser.learning_rate / RATES[optimiser.name],
        "batch_s": base.data.batch_s,
    }
    ranges = {"layers": LAYERS, "dropout": DROPOUT, "rate_factor": RATE_FACTOR, "batch_s": BATCH_S}
    for name, (low, high) in ranges.items():
        if not low <= parameters[name] <= high:
            raise ConfigError(
                f"{name} of the base is {parameters[name]:g}, and {low:g} to {high:g} is searched"
            )
    if base.encoder.width not in WIDTHS:
        raise ConfigError(
            f"encoder.width = {base.encoder.width} is not searched; "
            f"give one of {', '.join(map(str, WIDTHS))}"
        )
    return parameters


def make_pruner(name: Pruner, epochs: int) -> BasePruner:
    """Return a pruner for validation losses after 1 to ``epochs`` epochs."""
    pruners = load_optuna().pruners
    made: BasePruner
    if name == "median":
        made = pruners.MedianPruner(n_startup_trials=STARTUP_TRIALS)
    elif name == "hyperband":
        made = pruners.HyperbandPruner(min_resource=1, max_resource=epochs, reduction_factor=2)
    else:
        made = pruners.NopPruner()
    return made


def open_study(path: Path, plan: Plan, setup: Mapping[str, Any]) -> Study:
    """Open the study in a SQLite file, or create it with the base as its first trial.

    A trial that was stopped in the middle, or ended with an error, is queued again.

    Args:
        path: the file.
        plan: see ``Plan``.
        setup: what trials depend on; plain values.

    Raises:
        ConfigError: the study in the file has another setup.
        MissingExtraError: Optuna is not installed.
    """
    optuna = load_optuna()
    sqlalchemy = importlib.import_module("sqlalchemy")  # its errors pass through optuna
    parameters = base_parameters(plan.base)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        study: Study = optuna.create_study(
            study_name="tuning",
            storage=f"sqlite:///{path}",
            load_if_exists=True,
            pruner=make_pruner(plan.pruner, plan.base.epochs),
        )
    except (optuna.exceptions.OptunaError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise ConfigError(
            f"{path}: not a study ({type(error).__name__}); delete it, or give another --output"
        ) from None
    stored = study.user_attrs.get("setup")
    if stored is None:
        study.set_user_attr("setup", dict(setup))
        study.enqueue_trial(parameters)
    elif stored != dict(setup):
        changed = [key for key in setup if stored.get(key) != setup[key]]
        raise ConfigError(
            f"{path}: holds a study with another {', '.join(changed)}; give another --output"
        )
    states = optuna.trial.TrialState
    repeated = {trial.user_attrs.get(REPEATS) for trial in study.trials}
    for trial in study.get_trials(states=(states.RUNNING, states.FAIL)):
        if trial.state == states.RUNNING:  # its process was killed; Ctrl-C makes it a failed one
            study.tell(trial.number, state=states.FAIL)
        if trial.number not in repeated:
            study.enqueue_trial(trial.params, user_attrs={REPEATS: trial.number})
    study.sampler = optuna.samplers.TPESampler(
        seed=plan.seed + len(study.trials), n_startup_trials=STARTUP_TRIALS
    )
    return study


def finished(study: Study) -> int:
    """Return the number of trials that were completed or pruned."""
    states = load_optuna().trial.TrialState
    return len(study.get_trials(states=(states.COMPLETE, states.PRUNED)))


def run_trials(study: Study, plan: Plan, trials: int) -> None:
    """Go on until ``trials`` trials of the study are finished.

    A trial is pruned by its validation losses on the first fold, so that a bad one costs an epoch
    or two, or by one that is not finite on any fold. The others are trained on every fold; their
    value is the mean of the final losses.
    """
    optuna = load_optuna()

    def objective(trial: Trial) -> float:
        config = configure(plan.base, suggest(trial))
        results: list[FoldResult] = []

        def on_epoch(epoch: int, loss: float) -> None:
            is_first = not results
            if is_first:
                trial.report(loss, epoch)
            if not math.isfinite(loss) or (is_first and trial.should_prune()):
                raise optuna.TrialPruned

        for number, fold in enumerate(plan.folds, 1):
            results.append(train_fold(config, fold, plan.cache, on_epoch))
            plan.log(f"trial {trial.number}: fold {number}, loss {results[-1].loss:.3f}")
        trial.set_user_attr("losses", [result.loss for result in results])
        trial.set_user_attr("rates", [result.rate for result in results])
        return sum(result.loss for result in results) / len(results)

    def told(_study: Study, trial: Any) -> None:
        after = f"{len(trial.intermediate_values)} epochs"
        value = f"loss {trial.value:.3f}" if trial.value is not None else ""
        plan.log(f"trial {trial.number}: {trial.state.name.lower()} after {after} {value}".rstrip())

    while finished(study) < trials:
        study.optimize(objective, n_trials=1, callbacks=[told])
