"""The webhook channel and the sender against a real HTTP server that fails, dawdles, redirects and recovers."""

import asyncio
import http.server
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from standardwebhooks import Webhook

from alerts.channels.secrets import SecretsFile
from alerts.channels.webhook import WebhookChannel
from alerts.delivery.deliver_core import DeliverCore, OpenDelivery
from alerts.delivery.ledger import DeliveryRequest, encode_entry
from alerts.delivery.schedule import RetrySchedule
from alerts.delivery.sender import Sender
from streams.contracts.alert import DeliveryChanged
from streams.runtime.clock import utc_now
from streams.runtime.stage_ports import Admitted, InMemoryStateStore

pytestmark = pytest.mark.integration
SCHEDULE = RetrySchedule(first=timedelta(seconds=10), attempts=3)


class Receiver(http.server.ThreadingHTTPServer):
    """Answers with the given statuses in turn, the last one for ever; remembers what it got."""

    daemon_threads = True

    def __init__(self, *statuses: int, body: bytes = b"", wait: threading.Event | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses = list(statuses)
        self.body = body
        self.wait = wait
        self.got: list[tuple[dict[str, str], bytes]] = []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        if self.server.wait is not None:
            self.server.wait.wait(10)
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        try:
            self.send_response(status)
            if status == 302:
                self.send_header("location", "/elsewhere")
            self.send_header("content-length", str(len(self.server.body)))
            self.end_headers()
            self.wfile.write(self.server.body)
        except OSError:
            self.close_connection = True  # the client has seen enough

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
        """Keep the test output clean."""


@pytest.fixture
def receivers() -> Iterator[Callable[..., Receiver]]:
    started: list[Receiver] = []

    def start(*statuses: int, body: bytes = b"", wait: threading.Event | None = None) -> Receiver:
        started.append(Receiver(*statuses, body=body, wait=wait))
        return started[-1]

    yield start
    for receiver in started:
        if receiver.wait is not None:
            receiver.wait.set()
        receiver.shutdown()
        receiver.server_close()


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as made:
        yield made


class Post:
    """A sender over a ledger, with a clock set by hand."""

    def __init__(self, client: httpx.AsyncClient, secrets: SecretsFile, *, timeout_seconds: float = 5) -> None:
        self.now = utc_now()
        channel = WebhookChannel(client, find_secret=secrets.find, timeout_seconds=timeout_seconds)
        self.sender = Sender({"webhook": channel}, clock=lambda: self.now, schedule=SCHEDULE)
        self.core = DeliverCore(partition=0, store=InMemoryStateStore())
        self.entries: list[DeliveryChanged] = []

    def request(self, url: str, *, delivery: str = "a-1.s-1", secret_ref: str = "s-1") -> None:
        request = DeliveryRequest(body={"type": "alert.firing"}, url=url, secret_ref=secret_ref)
        self.write(
            DeliveryChanged(
                delivery=delivery, alert="a-1", subscription="s-1", channel="webhook", state="requested", at=self.now,
                payload=msgspec.to_builtins(request),
            )
        )  # fmt: skip

    def write(self, entry: DeliveryChanged) -> None:
        outcome = self.core.process(Admitted(position=0, items=[msgspec.Raw(encode_entry(entry))]))
        assert not outcome.dead_letters

    async def run_due(self) -> list[DeliveryChanged]:
        due: list[OpenDelivery] = list(self.core.open_deliveries(due_at=self.now))
        made = await self.sender.send(due)
        for entry in made:
            self.write(entry)
        self.entries += made
        return made


@pytest.fixture
def post(client: httpx.AsyncClient, tmp_path: Path) -> Post:
    secrets = SecretsFile(tmp_path / "secrets.json")
    secrets.keep("s-1")
    return Post(client, secrets)


async def test_a_receiver_that_fails_and_recovers_gets_the_notice_with_one_id(
    receivers: Callable[..., Receiver], post: Post, tmp_path: Path
) -> None:
    """Each attempt is in the ledger, and the id lets the receiver count the notice once."""
    receiver = receivers(503, 500, 204)
    post.request(receiver.url)
    (first,) = await post.run_due()
    assert (first.state, first.attempt, first.status_code, first.reason) == ("attempted", 1, 503, "server_error")
    assert await post.run_due() == []
    for _ in range(2):
        post.now = post.core.open_deliveries()[0].next_attempt_at
        await post.run_due()
    assert [(e.state, e.attempt) for e in post.entries] == [("attempted", 1), ("attempted", 2), ("delivered", 3)]
    assert post.core.open_deliveries() == []
    secret = SecretsFile(tmp_path / "secrets.json").find("s-1")
    assert secret is not None
    assert {headers["webhook-id"] for headers, _ in receiver.got} == {"a-1.s-1"}
    for headers, body in receiver.got:
        Webhook(secret).verify(body, headers)


async def test_after_the_last_attempt_it_is_given_up(receivers: Callable[..., Receiver], post: Post) -> None:
    """Retries are bounded; the ledger says why they ended."""
    post.request(receivers(500).url)
    while post.core.open_deliveries():
        post.now = post.core.open_deliveries()[0].next_attempt_at
        await post.run_due()
    assert [e.state for e in post.entries] == ["attempted", "attempted", "gave_up"]
    assert post.entries[-1].reason == "attempts_exhausted"


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        (400, "gave_up", "refused"),
        (410, "gave_up", "gone"),
        (302, "gave_up", "redirect_refused"),
        (429, "attempted", "rate_limited"),
        (408, "attempted", "server_error"),
        (200, "delivered", "accepted"),
    ],
)
async def test_a_status_is_final_or_passes(
    receivers: Callable[..., Receiver], post: Post, status: int, state: str, reason: str
) -> None:
    """A refused notice is not sent for nine hours; a busy receiver is asked again. Redirects are not followed."""
    receiver = receivers(status)
    post.request(receiver.url)
    (entry,) = await post.run_due()
    assert (entry.state, entry.reason, entry.status_code) == (state, reason, status)
    assert len(receiver.got) == 1


async def test_a_receiver_that_dawdles_ends_in_a_timeout(
    receivers: Callable[..., Receiver], client: httpx.AsyncClient, tmp_path: Path
) -> None:
    """One slow receiver must not hold up the others for ever."""
    secrets = SecretsFile(tmp_path / "secrets.json")
    secrets.keep("s-1")
    post = Post(client, secrets, timeout_seconds=0.2)
    post.request(receivers(200, wait=threading.Event()).url)
    (entry,) = await asyncio.wait_for(post.run_due(), 5)
    assert (entry.state, entry.reason) == ("attempted", "timeout")


async def test_an_endless_answer_is_read_within_a_bound(receivers: Callable[..., Receiver], post: Post) -> None:
    """The receiver does not decide how much memory we use."""
    post.request(receivers(500, body=b"x" * 20_000_000).url)
    (entry,) = await asyncio.wait_for(post.run_due(), 10)
    assert entry.detail is not None
    assert len(entry.detail) <= 300


async def test_nobody_listening_and_no_secret_are_tried_again(post: Post, receivers: Callable[..., Receiver]) -> None:
    """Both are put right by people; the notice is still wanted then."""
    receiver = receivers(200)
    post.request("http://127.0.0.1:1/hook", delivery="a-1.s-2")
    post.request(receiver.url, delivery="a-1.s-3", secret_ref="missing")
    made = {e.delivery: e for e in await post.run_due()}
    assert made["a-1.s-2"].reason == "connection_failed"
    assert made["a-1.s-3"].reason == "no_secret"
    assert {e.state for e in made.values()} == {"attempted"}
    assert receiver.got == []
