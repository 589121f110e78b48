"""The same rules over recorded events."""

from alerts.backtest.road import PureRoad, RoadError
from alerts.backtest.run import as_json_line, backtest, open_alerts

__all__ = ["PureRoad", "RoadError", "as_json_line", "backtest", "open_alerts"]
