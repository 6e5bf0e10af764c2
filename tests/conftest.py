"""What all tests share: where the reference data are, and how hypothesis searches."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]

# Derandomized: a test that passes here passes everywhere. `make fuzz` searches longer, at random.
_checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile(
    "test", derandomize=True, deadline=None, max_examples=40, suppress_health_check=_checks
)
settings.register_profile("long", deadline=None, max_examples=5_000, suppress_health_check=_checks)
settings.load_profile("long" if os.environ.get("TREE6G_FUZZ") == "long" else "test")


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of reference data; without it a test is skipped, except in CI, where it fails."""
    folder = Path(os.environ.get("TREE6G_REFERENCE_DATA") or ROOT.parent / "shared" / "data")
    if folder.is_dir():
        return folder
    reason = f"no reference data in {folder}; set TREE6G_REFERENCE_DATA to its folder"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser; without it a test is skipped, except in CI, where it fails."""
    path = Path("/usr/bin/chromium")
    if path.exists():
        return path
    reason = "no /usr/bin/chromium; install Debian's package chromium"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
