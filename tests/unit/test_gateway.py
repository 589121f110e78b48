"""The gateway: an answer for each event, nothing accepted that the broker does not have, nothing lost."""

import stat
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry

from producers.gateway.gateway_app import MAX_BODY_BYTES, Gateway, create_app
from producers.gateway.keys import SCOPE, KeyFile, KeyVerdict, decide_access
from producers.gateway.seen_events import Identity, SeenWindow
from streams.contracts.codec import decode_event, encode_batch, encode_event
from streams.contracts.dead_letters import DeadLetterRecord
from streams.contracts.events import PAYLOADS, Event, family_of
from streams.contracts.topics import FAMILY_TOPICS
from tests.support.examples import EXAMPLE_EVENTS, RECORDED

NOW = RECORDED + timedelta(hours=1)
PRICE, DIRECTIVE, TICK = EXAMPLE_EVENTS[3], EXAMPLE_EVENTS[14], EXAMPLE_EVENTS[15]
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


class RecordingPublisher:
    """Keeps everything in memory; `failing` makes it a broker that is gone."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.letters: list[DeadLetterRecord] = []
        self.failing = False

    def publish_batch(self, events: Sequence[Event]) -> list[object]:
        """Keep events."""
        if self.failing:
            raise TimeoutError("told to fail")
        self.events.extend(events)
        return []

    def publish_dead_letter(self, letter: DeadLetterRecord) -> None:
        """Keep a dead letter."""
        if self.failing:
            raise TimeoutError("told to fail")
        self.letters.append(letter)

    def waiting_for(self) -> list[str]:
        """Say what it waits for before it takes anything."""
        return ["the broker to answer"] if self.failing else []


class InMemorySeen(SeenWindow):
    """Remembers identities without Redis."""

    def __init__(self) -> None:
        super().__init__(None, prefix="t")
        self.identities: set[Identity] = set()

    def already(self, identities: Sequence[Identity]) -> list[bool]:
        """Tell which were marked."""
        return [identity in self.identities for identity in identities]

    def mark(self, identities: Sequence[Identity]) -> None:
        """Remember identities."""
        self.identities.update(identities)


class World:
    """A gateway with everything around it in memory."""

    def __init__(self, path: Path, *, requests_per_second: int = 10_000, durable: bool = True) -> None:
        self.publisher = RecordingPublisher()
        self.keys = KeyFile(path / "keys.json")
        _, self.key = self.keys.create(scopes=(SCOPE,), at=NOW, lifetime=timedelta(days=1))
        registry = CollectorRegistry()
        gateway = Gateway(
            publisher=self.publisher, seen=InMemorySeen(), keys=KeyFile(path / "keys.json"), clock=lambda: NOW,
            registry=registry, waiting_for=self.publisher.waiting_for, requests_per_second=requests_per_second,
        )  # fmt: skip
        transport = httpx.ASGITransport(app=create_app(gateway, registry=registry, durable=durable))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://gateway")

    async def post(self, body: bytes, kind: str = STRUCTURED, *, key: str | None = None, **headers: str
                   ) -> httpx.Response:  # fmt: skip
        """Send a body as a CloudEvent would be sent."""
        return await self.client.post(
            "/v1/events", content=body,
            headers={"content-type": kind, "authorization": f"Bearer {key or self.key}", **headers},
        )  # fmt: skip


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.client.aclose()


def statuses(answer: httpx.Response) -> list[str]:
    return [result["status"] for result in answer.json()["results"]]


async def test_a_structured_event_is_accepted(world: World) -> None:
    """202 says that the broker has it."""
    answer = await world.post(encode_event(PRICE))
    assert answer.status_code == 202
    assert answer.json()["results"] == [
        {"index": 0, "status": "accepted", "id": PRICE.id, "source": PRICE.source},
    ]  # fmt: skip
    assert world.publisher.events == [PRICE]


@pytest.mark.parametrize("durable", [True, False])
async def test_each_answer_says_whether_the_broker_keeps_the_events(tmp_path: Path, durable: bool) -> None:
    """202 on the embedded broker holds only until the stack stops; who sends must be able to see it."""
    made = World(tmp_path, durable=durable)
    answer = (await made.post(encode_event(PRICE))).json()
    await made.client.aclose()
    assert answer["durable"] is durable
    assert answer.get("retention") == (None if durable else "until the stack stops")


async def test_an_event_without_recorded_instant_is_recorded_now(world: World) -> None:
    """Outside systems need not know our extension attribute."""
    raw = encode_event(PRICE).replace(b'"recordedtime":"2025-11-10T18:30:15.250000Z",', b"")
    assert (await world.post(raw)).status_code == 202
    assert world.publisher.events == [msgspec.structs.replace(PRICE, recorded_at=NOW)]


async def test_binary_mode_is_accepted_with_encoded_headers(world: World) -> None:
    """HTTP headers are percent-encoded (CloudEvents HTTP binding, section 3.1.3.2)."""
    whole = msgspec.json.decode(encode_event(PRICE))
    body = msgspec.json.encode(whole.pop("data"))
    whole["source"] = "https://example.org/caf%C3%A9"
    answer = await world.post(body, "application/json", **{f"ce-{name}": value for name, value in whole.items()})
    assert answer.status_code == 202
    assert world.publisher.events[0].source == "https://example.org/café"


async def test_a_batch_is_answered_event_by_event(world: World) -> None:
    """The sender must know which to mend, and which not to send again."""
    other = msgspec.structs.replace(PRICE, id="e-2")
    late = msgspec.structs.replace(PRICE, id="e-3", recorded_at=NOW - timedelta(days=30))
    bad = encode_event(PRICE).replace(b"dysprosium", b"unobtainium")
    body = (
        b"["
        + b",".join([encode_event(PRICE), bad, encode_event(other), encode_event(PRICE), encode_event(late)])
        + b"]"
    )
    answer = await world.post(body, BATCH)
    assert answer.status_code == 202
    assert statuses(answer) == ["accepted", "invalid", "accepted", "duplicate", "late"]
    refused = answer.json()["results"][1]
    assert (refused["reason"], refused["pointer"]) == ("unknown_material", "/data/material")
    assert "materials.py" in refused["detail"]
    assert [event.id for event in world.publisher.events] == ["e-1", "e-2", "e-3"]
    (letter,) = world.publisher.letters
    assert (letter.value, letter.index, letter.stage) == (bad, 1, "gateway")


async def test_a_request_without_a_valid_event_is_a_problem(world: World) -> None:
    """RFC 9457; what was refused is kept all the same."""
    answer = await world.post(b'[{"id":1},7]', BATCH)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert statuses(answer) == ["invalid", "invalid"]
    assert [letter.value for letter in world.publisher.letters] == [b'{"id":1}', b"7"]


async def test_an_event_sent_again_is_a_duplicate(world: World) -> None:
    """The sender may repeat as often as it likes."""
    for expected in ("accepted", "duplicate"):
        assert statuses(await world.post(encode_event(PRICE))) == [expected]
    assert world.publisher.events == [PRICE]


async def test_a_failure_never_turns_a_retry_into_a_duplicate(world: World) -> None:
    """Marked before the broker has it, an event would be lost and called a duplicate."""
    world.publisher.failing = True
    answer = await world.post(encode_event(PRICE))
    assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    world.publisher.failing = False
    assert statuses(await world.post(encode_event(PRICE))) == ["accepted"]


async def test_a_refusal_that_cannot_be_kept_is_not_confirmed(world: World) -> None:
    """The sender then sends again, and the dead letter is written."""
    world.publisher.failing = True
    assert (await world.post(b"{}")).status_code == 503
    assert (await world.post(b"{oops")).status_code == 503


async def test_what_is_no_json_is_a_problem_and_kept(world: World) -> None:
    """Nothing that a caller with a key sent disappears."""
    answer = await world.post(b"{oops")
    assert answer.status_code == 422
    assert [letter.value for letter in world.publisher.letters] == [b"{oops"]
    broken = await world.post(b"[1,", BATCH)
    assert (broken.status_code, broken.json()["reason"]) == (422, "not_json")


@pytest.mark.parametrize(
    "event", [e for e in EXAMPLE_EVENTS if family_of(e.type) not in FAMILY_TOPICS or e is DIRECTIVE]
)
async def test_what_is_not_for_outsiders_is_refused(world: World, event: Event) -> None:
    """A forged tick would move time, a forged alert wake people, a forged directive silence them."""
    answer = await world.post(encode_event(event))
    assert answer.status_code == 422
    assert answer.json()["results"][0]["reason"] == "wrong_topic"


async def test_an_event_from_the_future_is_refused(world: World) -> None:
    """One wrong clock would move time for everybody."""
    ahead = msgspec.structs.replace(PRICE, recorded_at=NOW + timedelta(minutes=1))
    answer = await world.post(encode_event(ahead))
    assert answer.json()["results"][0]["pointer"] == "/recordedtime"


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearer", "Bearer mzk_x", "Bearer mzk_000000000000_secret"])
async def test_without_a_valid_key_nothing_is_taken(world: World, header: str | None) -> None:
    """Everybody who can reach the port could move the figures."""
    headers = {"content-type": STRUCTURED} | ({} if header is None else {"authorization": header})
    answer = await world.client.post("/v1/events", content=encode_event(PRICE), headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert (world.publisher.events, world.publisher.letters) == ([], [])


async def test_a_key_counts_and_ends_at_once(world: World) -> None:
    """Keys are made and revoked while the gateway runs."""
    record, key = world.keys.create(scopes=(SCOPE,), at=NOW, lifetime=None)
    assert (await world.post(encode_event(PRICE), key=key)).status_code == 202
    world.keys.revoke(record.id, at=NOW)
    assert (await world.post(encode_event(PRICE), key=key)).status_code == 401


async def test_a_key_without_the_scope_is_forbidden(world: World) -> None:
    """A key for reading must not write."""
    _, key = world.keys.create(scopes=("read",), at=NOW, lifetime=None)
    assert (await world.post(encode_event(PRICE), key=key)).status_code == 403


async def test_a_large_body_is_refused(world: World) -> None:
    """Memory is bounded whatever is sent."""
    answer = await world.post(b" " * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413
    assert (await world.post(encode_batch([PRICE] * 501), BATCH)).status_code == 422


async def test_too_many_requests_are_refused_for_that_key_only(tmp_path: Path) -> None:
    """One sender in a loop must not stop the others."""
    world = World(tmp_path, requests_per_second=1)
    _, other = world.keys.create(scopes=(SCOPE,), at=NOW, lifetime=None)
    # Two of five requests within one second, whatever the machine does; a window may end between two of them.
    codes = [(await world.post(encode_event(PRICE))).status_code for _ in range(5)]
    assert set(codes) == {202, 429}
    assert (await world.post(encode_event(PRICE), key=other)).status_code == 202
    await world.client.aclose()


async def test_the_documents_describe_what_is_taken(world: World) -> None:
    """Senders generate their clients from them."""
    openapi = (await world.client.get("/openapi.json")).json()
    assert BATCH in openapi["paths"]["/v1/events"]["post"]["requestBody"]["content"]
    asyncapi = (await world.client.get("/asyncapi.json")).json()
    assert set(asyncapi["components"]["messages"]) == {name for name in PAYLOADS if family_of(name) in FAMILY_TOPICS}
    price = asyncapi["components"]["schemas"]["PriceQuoted"]["properties"]
    trade = asyncapi["components"]["schemas"]["TradeObserved"]["properties"]
    assert price["reference_period"]["pattern"] == trade["reference_period"]["pattern"], "what is refused must be told"
    assert "pattern" in price["assessor"]
    for channel in asyncapi["channels"].values():
        for message in channel["messages"].values():
            assert message["$ref"].removeprefix("#/components/messages/") in asyncapi["components"]["messages"]


async def test_every_error_is_a_problem_document(world: World) -> None:
    """Callers parse one shape (RFC 9457)."""
    for answer in (await world.client.get("/v1/events"), await world.client.get("/nowhere")):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == answer.status_code


async def test_probes_and_metrics_answer_without_a_key(world: World) -> None:
    """Supervisors and Prometheus have none."""
    await world.post(encode_event(PRICE))
    assert (await world.client.get("/healthz")).status_code == 200
    assert (await world.client.get("/readyz")).status_code == 200
    assert 'monazite_gateway_events_total{status="accepted"} 1.0' in (await world.client.get("/metrics")).text
    world.publisher.failing = True
    waiting = await world.client.get("/readyz")
    assert (waiting.status_code, waiting.json()) == (503, {"ready": False, "waiting_for": ["the broker to answer"]})
    assert (await world.client.get("/healthz")).status_code == 200


def test_keys_are_kept_as_hashes_for_their_owner_alone(tmp_path: Path) -> None:
    """A copied file must not be a copied key."""
    path = tmp_path / "folder" / "keys.json"
    record, key = KeyFile(path).create(scopes=(SCOPE,), at=NOW, lifetime=None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key.removeprefix(f"mzk_{record.id}_") not in path.read_text()
    assert key.startswith(f"mzk_{record.id}_")


def test_access_is_decided_with_a_named_reason(tmp_path: Path) -> None:
    """The log must say why, without saying the key."""
    keys = KeyFile(tmp_path / "keys.json")
    record, key = keys.create(scopes=(SCOPE,), at=NOW, lifetime=timedelta(days=1))

    def verdict(header: Any, *, scope: str = SCOPE, at: datetime = NOW) -> KeyVerdict:
        return decide_access(header, keys.records(), scope=scope, at=at)

    assert verdict(f"Bearer {key}") is KeyVerdict.GRANTED
    assert verdict(f"bearer {key}") is KeyVerdict.GRANTED
    assert verdict(f"Bearer {key}x") is KeyVerdict.UNKNOWN
    assert verdict(f"Bearer {key}", scope="other") is KeyVerdict.WRONG_SCOPE
    assert verdict(f"Bearer {key}", at=NOW + timedelta(days=1)) is KeyVerdict.EXPIRED
    keys.revoke(record.id, at=NOW)
    assert verdict(f"Bearer {key}") is KeyVerdict.REVOKED
    with pytest.raises(KeyError):
        keys.revoke("nobody", at=NOW)


def test_without_redis_every_event_passes() -> None:
    """The check in the stream decides; the window is a courtesy."""
    window = SeenWindow("redis://127.0.0.1:1/0", prefix="t")
    window.mark([("s", "1")])
    assert window.already([("s", "1"), ("s", "2")]) == [False, False]
    assert window.available is False
    window.close()
    assert decode_event(encode_event(TICK)).occurred_at.tzinfo is UTC
