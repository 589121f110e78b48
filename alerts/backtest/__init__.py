"""The same rules over recorded events."""

from alerts.backtest.pipeline import PureRoad, RoadError
from alerts.backtest.run_backtest import as_json_line, backtest, open_alerts

__all__ = ["PureRoad", "RoadError", "as_json_line", "backtest", "open_alerts"]
