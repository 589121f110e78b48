"""A TCP proxy in a thread that delays what clients send.

Every piece from the client is passed on `latency_seconds` after it came, in order: each request waits that long,
and several requests in flight do not wait for one another, as on a long line.
"""

import asyncio
import threading
from contextlib import suppress
from types import TracebackType

from deploy.stack.free_ports import LOOPBACK

PIECE_BYTES = 256 * 1024


class DelayProxy:
    """Listens on a loopback port of its own and forwards to `target_port`.

    The target may be set after the start (a broker must know the proxy's port first). `latency_seconds` may change
    while connections are open. `drop_connections` cuts all of them at once.
    """

    def __init__(self, *, target_port: int, latency_seconds: float = 0.0) -> None:
        self.target_port = target_port
        self.latency_seconds = latency_seconds
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._run, name="delay-proxy", daemon=True)

    def __enter__(self) -> "DelayProxy":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start listening; `port` is set when this returns."""
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Cut all connections and end the thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=10)

    def drop_connections(self) -> None:
        """Cut every open connection; new ones are accepted."""
        self._loop.call_soon_threadsafe(self._abort_all)

    def _abort_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._server = self._loop.run_until_complete(asyncio.start_server(self._accept, LOOPBACK, 0))
            self.port = self._server.sockets[0].getsockname()[1]
        except BaseException as error:
            self._failure = error
            self._started.set()
            self._loop.close()
            return
        self._started.set()
        try:
            self._loop.run_forever()
        finally:
            self._server.close()
            self._abort_all()
            for task in list(self._tasks):
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*self._tasks, return_exceptions=True))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        upstream: asyncio.StreamWriter | None = None
        try:
            back, upstream = await asyncio.open_connection(LOOPBACK, self.target_port)
            self._writers.add(upstream)
            await asyncio.gather(self._delayed(reader, upstream), self._direct(back, writer))
        except OSError:
            pass  # the broker is gone: the client sees a closed connection, as without a proxy
        except asyncio.CancelledError:
            pass  # stop() ends the pipes
        finally:
            for end in (writer, upstream):
                if end is not None:
                    end.transport.abort()
                    self._writers.discard(end)
            self._tasks.discard(task)

    async def _delayed(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1024)
        sender = self._loop.create_task(self._send_when_due(line, writer))
        try:
            while piece := await reader.read(PIECE_BYTES):
                await line.put((self._loop.time() + self.latency_seconds, piece))
            await line.put((0.0, b""))
            await sender
        finally:
            sender.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sender

    async def _send_when_due(self, line: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, piece = await line.get()
            if not piece:
                writer.transport.abort()
                return
            delay = due - self._loop.time()
            if delay > 0:
                await asyncio.sleep(delay)
            writer.write(piece)
            await writer.drain()

    async def _direct(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
        writer.transport.abort()
