"""Keys that earlier versions wrote into configurations and checkpoints, and their current names."""

from __future__ import annotations

from typing import Any

from asr_gru.errors import ConfigError

__all__ = ["RENAMED", "RENAMED_FIELDS", "upgrade_checkpoint", "upgrade_keys"]

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
"""Configuration keys."""

RENAMED_FIELDS = {
    "tokens": "vocab_size",
    "average": "ema",
    "phones": "phone_head",
    "step": "global_step",
    "number": "epoch",
    "position": "step_in_epoch",
}
"""Fields of a checkpoint."""


def upgrade_keys(values: dict[str, Any], name: str) -> list[tuple[str, str]]:
    """Rename outdated configuration keys in place; return pairs of old and new name.

    Raises:
        ConfigError: a key is present under both names.
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


def upgrade_checkpoint(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Rename outdated fields of a checkpoint in place; return pairs of old and new name.

    The epoch of each validation, once called ``pass``, is renamed as well.
    """
    found = [(old, new) for old, new in RENAMED_FIELDS.items() if old in values]
    for old, new in found:
        values[new] = values.pop(old)
    values["history"] = [
        {("epoch" if key == "pass" else key): value for key, value in row.items()}
        for row in values["history"]
    ]
    return found
