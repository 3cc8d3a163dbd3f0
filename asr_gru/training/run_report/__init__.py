"""A self-contained HTML report of a training run."""

from asr_gru.training.run_report.builder import REPORT_FILE, report_finished_run, write_report

__all__ = ["REPORT_FILE", "report_finished_run", "write_report"]
