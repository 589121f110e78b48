"""The same rules over recorded events."""

from alerts.backtest.pipeline import PipelineError, PurePipeline
from alerts.backtest.run_backtest import as_json_line, backtest, open_alerts

__all__ = ["PurePipeline", "PipelineError", "as_json_line", "backtest", "open_alerts"]
