"""Joins the read view writer to a running app: which partitions it may read, and when it runs."""

from collections.abc import Callable

from streams.runtime.faust_app import SafeApp
from streams.runtime.owned_partitions import OwnedPartition, owned_partitions
from streams.view.read_view import ReadViewWriter
from streams.view.view_layout import ViewSlice


class SliceReader:
    """Reads the slice of a partition from the app, once there is one; a partition that is not ready has none."""

    def __init__(self, stage: str, make_slice: Callable[[OwnedPartition], ViewSlice]) -> None:
        self._stage = stage
        self._make_slice = make_slice
        self.app: SafeApp | None = None

    def read(self, partition: int) -> ViewSlice | None:
        """Return the slice of an owned, ready partition; `None` for any other."""
        if self.app is None:
            return None
        for owned in owned_partitions(self.app, self._stage):
            if owned.partition == partition:
                return self._make_slice(owned)
        return None


def slice_reader(stage: str, make_slice: Callable[[OwnedPartition], ViewSlice]) -> SliceReader:
    """Return a reader that becomes useful when its service runs."""
    return SliceReader(stage, make_slice)


class ReadViewService:
    """Runs the writer beside the stages."""

    def __init__(self, writer: ReadViewWriter, reader: SliceReader) -> None:
        self._writer = writer
        self._reader = reader

    async def run(self, app: SafeApp) -> None:
        """Write until the worker stops."""
        self._reader.app = app
        await self._writer.run()
