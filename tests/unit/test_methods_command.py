"""`monazite methods NAME FILE --json`: the shapes of docs/surface.md 2, and refusals with line and column."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app
from deploy.cli.method_files import METHODS

FILES: dict[str, tuple[str, Any]] = {
    "eu-supply-risk": (
        "material,hhi_gs,hhi_eu,ir_percent,eol_rir_percent,si_sr,ei\n"
        "a,5,3,80,10,0.9,4\nb,,3,,10,0.9,2\nc,5,3,,10,0.9,4\na,1,1,80,10,0.9,4\n",
        [("a", pytest.approx(3.078), True), ("b", pytest.approx(2.43), False), ("c", None, None)],
    ),
    "import-reliance": (
        'period,production_tonnes,apparent_consumption_tonnes\n2021,120,"7,900"\n2024,4300,9010\n2025,W,100\n',
        [("2021", pytest.approx(98.481, abs=1e-3)), ("2024", pytest.approx(52.275, abs=1e-3)), ("2025", None)],
    ),
    "concentration": ("country,tonnes\nCN,60\nUS,30\nCN,10\n", {"hhi": 0.58, "top_share": 0.7, "top_country": "CN"}),
    "geopolrisk": (
        '{"production": [50, 50], "imports": [[30, 0.8], [10, 0.2]], "domestic_production": 10}',
        {"hhi": 0.5, "score": 0.26},
    ),
    "usgs-supply-risk": (
        '{"suppliers": [{"country": "CN", "production_share": 1.0, "ability": 0.5, "willingness": 0.4}],'
        '"trade_exposure": 1.0, "economic_vulnerability": 0.04}',
        {"supply_risk": 0.2},
    ),
    "ewma-volatility": ("period,price\n1,100\n2,\n3,100\n", {"annualised_ratio": 0.0, "returns_count": 1}),
    "time-to-survive": (
        "site,stock_tonnes,daily_use_tonnes,time_to_recover_days\ns,3,0.1,45\n",
        [("s", pytest.approx(30))],
    ),
    "risk-exposure-index": (
        "node,loss_per_day,time_to_recover_days,time_to_survive_days\na,10,30,10\nb,5,30,10\n",
        [("a", 200), ("b", 100)],
    ),
}


def run(name: str, text: str, folder: Path, *options: str) -> Any:
    path = folder / "input"
    path.write_text(text)
    return CliRunner().invoke(app, ["methods", name, str(path), *options])


@pytest.mark.parametrize("name", METHODS)
def test_each_method_answers_in_its_shape(name: str, tmp_path: Path) -> None:
    """Others rely on these names; more may be added, none may go."""
    text, expected = FILES[name]
    done = run(name, text, tmp_path, "--json")
    assert done.exit_code == 0, done.output
    answer = json.loads(done.output)
    if isinstance(expected, dict):
        assert {key: answer[key] for key in expected} == pytest.approx(expected)
    else:
        assert [tuple(each.values())[: len(row)] for each, row in zip(answer, expected, strict=True)] == expected


@pytest.mark.parametrize("name", METHODS)
def test_each_method_prints_a_table_for_people(name: str, tmp_path: Path) -> None:
    """The title cites the method."""
    done = run(name, FILES[name][0], tmp_path)
    assert done.exit_code == 0, done.output
    assert METHODS[name].title.split(":")[0].split("(")[0][:10] in done.output


def test_the_eu_score_says_what_it_leaves_out_and_names_the_stage(tmp_path: Path) -> None:
    """Published scores hold no rare-earth export control; of two stages the worse counts."""
    text = (
        "material,stage,hhi_gs,hhi_eu,ir_percent,eol_rir_percent,si_sr,ei\n"
        "dy,mining,2,,,0,1,4\ndy,processing,5,,,0,1,4\n"
    )
    (row,) = json.loads(run("eu-supply-risk", text, tmp_path, "--json").output)
    assert (row["stage"], row["supply_risk"], row["critical"]) == ("processing", 5.0, True)
    assert "export control" in row["note"]
    assert "export control" in run("eu-supply-risk", text, tmp_path).output


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("concentration", "country,tonnes\nCN,-5\n", "line 2, tonnes"),
        ("concentration", "country,tonnes\nCN,many\n", "line 2, tonnes"),
        ("concentration", "country\nCN\n", "tonnes: no column"),
        ("import-reliance", "period,production_tonnes,apparent_consumption_tonnes\n2024,-1,5\n", "line 2, production"),
        (
            "eu-supply-risk",
            "material,hhi_gs,hhi_eu,ir_percent,eol_rir_percent,si_sr,ei\na,1,1,140,0,1,1\n",
            "line 2, ir",
        ),
        ("geopolrisk", '{"production": [1], "imports": [[1, 2.0]], "domestic_production": 1}', "imports/0/instability"),
        ("geopolrisk", '{"production": 1}', "Expected"),
    ],
)
def test_a_bad_file_is_refused_with_the_place_and_what_it_should_hold(
    name: str, text: str, says: str, tmp_path: Path
) -> None:
    """Exit code 2: the file is wrong, not the world."""
    done = run(name, text, tmp_path)
    assert done.exit_code == 2
    assert says in " ".join(done.output.split())


def test_an_unknown_method_or_file_is_a_usage_error(tmp_path: Path) -> None:
    """The answer lists what there is."""
    done = run("hhi", "", tmp_path)
    assert done.exit_code == 2
    assert "geopolrisk" in done.output
    assert CliRunner().invoke(app, ["methods", "concentration", str(tmp_path / "none.csv")]).exit_code == 2
