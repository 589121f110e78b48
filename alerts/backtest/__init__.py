"""The same rules over recorded events."""

from alerts.backtest.run import BacktestError, as_json_line, backtest, open_alerts

__all__ = ["BacktestError", "as_json_line", "backtest", "open_alerts"]
