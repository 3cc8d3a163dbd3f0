"""What ``asr-gru export`` hands to the exporter."""

import torch

from asr_gru.errors import ModelError
from asr_gru.nn.net import AcousticNet
from asr_gru.text import build_character_tokenizer
from asr_gru.training.checkpoint import NAME, Checkpoint, save_checkpoint
from asr_gru.training.config_file import parse_train_config


def test_spelled_words_are_checked_against_texts_as_they_were_trained(run, data, monkeypatch):
    tokens = build_character_tokenizer(["über 12 straßen"])
    config = parse_train_config(
        {
            "data": {"train": ["list.tsv"], "normaliser": "basic"},
            "encoder": {"layers": 1, "width": 8},
        }
    )
    torch.manual_seed(0)
    weights = AcousticNet(config.net, len(tokens)).state_dict()
    save_checkpoint(Checkpoint(config, len(tokens), weights), data / NAME)
    tokens.save(data)
    (data / "list.tsv").write_text("path\ttext\n0.wav\tÜber 12 Straßen\n")
    checked = []

    def export_model(*_arguments, check, **_options):
        checked.extend(text for _, text in check)
        raise ModelError("enough")

    monkeypatch.setattr("asr_gru.export.exporter.export_model", export_model)
    monkeypatch.setattr("asr_gru.cli.export._words", lambda *_arguments: (None, None))
    manifest = data / "list.tsv"
    result = run(
        *("export", data, data / "model", "--calibration", manifest, "--check", manifest),
        *("--lexicon", "letters"),
    )
    assert result.err == "asr-gru: enough\n"
    assert checked == ["über 12 straßen"]
