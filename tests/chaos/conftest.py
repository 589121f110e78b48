"""Where the reports of a long run stand."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def reports() -> Path:
    """Return the folder for reports; it is not under version control."""
    folder = ROOT / ".cache" / "chaos"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
