"""The console over a real Redis."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import httpx
import pytest

from alerts.console.console_app import ConsoleSettings, create_console
from streams.contracts.rule_sets import RefusedRuleSet, RuleSetStanding
from streams.runtime.clock import utc_now
from streams.view.read_view import ReadViewWriter
from streams.view.view_layout import ViewSlice, risk_key
from tests.support.brokers import RedisServer
from tests.support.measures import T0, alert_changed, measure_assessed, risk_assessed

pytestmark = pytest.mark.integration


async def write(url: str, stage: str, shown: ViewSlice) -> None:
    written = asyncio.Event()
    writer = ReadViewWriter(
        redis_url=url, stage=stage, slice_of={0: shown}.get, clock=utc_now, count=lambda _: written.set()
    )
    task = asyncio.create_task(writer.run())
    writer.on_checkpoint(stage, 0, shown.position, {})
    async with asyncio.timeout(10):
        await written.wait()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as running:
        risk, alert = risk_assessed(), alert_changed()
        scoring = ViewSlice(position=9, clock_at=T0, measures={"CN-A": measure_assessed("CN-A")},
                            risks={risk_key(risk): risk})  # fmt: skip
        asyncio.run(write(running.url, "assess", scoring))
        asyncio.run(write(running.url, "rules", ViewSlice(position=9, alerts={alert.fingerprint: alert})))
        yield running


@contextlib.asynccontextmanager
async def client(url: str, *, later: timedelta = timedelta()) -> AsyncIterator[httpx.AsyncClient]:
    app = create_console(ConsoleSettings(redis_url=url, partitions=1), clock=lambda: utc_now() + later)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://c") as http:
        yield http


async def test_measures_materials_and_alerts_are_served_with_their_position(server: RedisServer) -> None:
    """An answer without its position cannot be compared with anything."""
    async with client(server.url) as http:
        measures, materials, alerts = [
            (await http.get(f"/v1/{name}")).json() for name in ("measures", "materials", "alerts")
        ]
        assert [m["measure"] for m in measures["measures"]] == ["CN-A"]
        assert measures["view"]["positions"] == [{"stage": "assess", "partition": 0, "position": 9}]
        assert measures["view"]["stale"] is False
        assert materials["materials"][0]["material"] == "dysprosium"
        assert (await http.get("/v1/materials/gallium")).json()["assessments"] == []
        assert alerts["alerts"][0]["fingerprint"] == "f1"
        assert (await http.get("/v1/alerts/f1")).json()["severity"] == "critical"
        assert (await http.get("/readyz")).status_code == 200
        assert "monazite_build_info" in (await http.get("/metrics")).text


async def test_a_rule_set_that_is_refused_is_told_with_the_alerts_and_with_the_rules(server: RedisServer) -> None:
    """Whoever looks at the alerts must see that the rules asked for last are not those in force."""
    refused = RefusedRuleSet(content_hash="new", by="eve", at=T0, reason="groups.0 is no group\nmore")
    standing = RuleSetStanding(source="previous", content_hash="old", rule_count=3, by="ada", at=T0, refused=refused)
    with RedisServer() as own:
        await write(own.url, "rules", ViewSlice(position=1, rule_set=standing))
        async with client(own.url) as http:
            alerts, rules = [(await http.get(f"/v1/{name}")).json() for name in ("alerts", "rules")]
    (row,) = rules["partitions"]
    assert (row["source"], row["content_hash"], row["by"], row["refused"]["reason"]) == (
        "previous", "old", "ada", refused.reason,
    )  # fmt: skip
    for answer in (alerts, rules):
        assert "applied by eve" in answer["rules_refused"]
        assert "(groups.0 is no group); the previous rules are in force" in answer["rules_refused"]
    async with client(server.url) as http:
        assert (await http.get("/v1/alerts")).json()["rules_refused"] is None


async def test_what_is_not_there_is_a_problem_document(server: RedisServer) -> None:
    """RFC 9457, so that a client needs one reader of errors."""
    async with client(server.url) as http:
        for path in ("/v1/alerts/none", "/v1/materials/unobtainium", "/v1/nothing"):
            answer = await http.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["status"] == 404


async def test_an_old_view_is_shown_as_stale_and_not_ready(server: RedisServer) -> None:
    """Old rows are better than none if they say that they are old."""
    async with client(server.url, later=timedelta(minutes=10)) as http:
        assert (await http.get("/v1/measures")).json()["view"]["stale"] is True
        assert (await http.get("/readyz")).status_code == 503


async def test_without_redis_the_answer_is_a_503_that_says_why() -> None:
    """An empty list would say that no measure exists."""
    with RedisServer() as gone:
        url = gone.url
    async with client(url) as http:
        for path in ("/v1/measures", "/v1/alerts", "/readyz"):
            answer = await http.get(path)
            assert answer.status_code == 503
            assert "Redis does not answer" in answer.json()["detail"]
        assert (await http.get("/healthz")).status_code == 200
