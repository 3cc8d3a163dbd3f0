"""Configuration keys of earlier versions, in files and in checkpoints, and their names now."""

from __future__ import annotations

from typing import Any

from asr_gru.errors import ConfigError

__all__ = ["RENAMED", "upgrade_keys"]

RENAMED = {
    "passes": "epochs",
    "sorted_passes": "curriculum_epochs",
    "consistency": "cr_ctc_weight",
    "layer": "gru_kernel",
    "data.pieces": "data.vocab_size",
    "augment.noise_share": "augment.noise_prob",
    "augment.babble_share": "augment.babble_prob",
    "augment.rooms_share": "augment.rooms_prob",
    "augment.speed_share": "augment.speed_prob",
    "augment.bandwidth_share": "augment.bandwidth_prob",
    "optimiser.rate": "optimiser.learning_rate",
    "optimiser.last_rate": "optimiser.final_lr_ratio",
    "optimiser.average": "optimiser.ema",
    "phones.last_weight": "phones.final_weight_ratio",
}


def upgrade_keys(values: dict[str, Any], name: str) -> list[tuple[str, str]]:
    """Rename keys of earlier versions in place, and return those that were there with the new name.

    Raises:
        ConfigError: a key is there under both names.
    """
    found = []
    for old, new in RENAMED.items():
        table, _, key = old.rpartition(".")
        owner = values.get(table) if table else values
        if not isinstance(owner, dict) or key not in owner:
            continue
        now = new.rpartition(".")[2]
        if now in owner:
            raise ConfigError(f"{name}: {old} is now {new}, and both are given; take {old} out")
        owner[now] = owner.pop(key)
        found.append((old, new))
    return found
