"""Silences and acknowledgements from the command line, over a real broker."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from deploy.cli.main import app
from deploy.cli.pipeline_logs import read_directives
from streams.contracts.directive import DirectiveGiven
from tests.support.brokers import EmbeddedBroker
from tests.support.provisioning import provision

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def embedded() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker() as broker:
        yield broker


def run(embedded: EmbeddedBroker, prefix: str, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--bootstrap", embedded.bootstrap, "--prefix", prefix])


def test_a_silence_is_added_listed_and_expired(embedded: EmbeddedBroker) -> None:
    """What was asked for is on the road, and what holds is shown; asking twice is asking once."""
    prefix = "silences"
    provision(embedded, prefix=prefix)
    words = ("silences", "add", "material=dysprosium", "rule=suspension-end", "--for", "2d", "--comment", "fair")
    start = ("--from", "2999-01-01T00:00:00Z")
    for _ in range(2):
        added = run(embedded, prefix, *words, *start, "--json")
        assert added.exit_code == 0, added.output
    target = json.loads(added.stdout)["id"]
    assert run(embedded, prefix, "silences", "add", "material=yttrium", "--json").exit_code == 0
    listed = json.loads(run(embedded, prefix, "silences", "list", "--json").stdout)
    assert sorted(row["state"] for row in listed) == ["active", "pending"]
    (row,) = [row for row in listed if row["id"] == target]
    assert row["matchers"] == {"material": "dysprosium", "rule": "suspension-end"}
    assert row["comment"] == "fair"
    assert run(embedded, prefix, "silences", "expire", target).exit_code == 0
    assert len(json.loads(run(embedded, prefix, "silences", "list", "--json").stdout)) == 1
    states = {
        r["id"]: r["state"] for r in json.loads(run(embedded, prefix, "silences", "list", "--all", "--json").stdout)
    }
    assert states[target] == "expired"
    assert run(embedded, prefix, "silences", "expire", "silence-none").exit_code == 2
    given = [e.data for e in read_directives(embedded.bootstrap, prefix=prefix)]
    assert sum(isinstance(d, DirectiveGiven) and d.withdrawn for d in given) == 1
