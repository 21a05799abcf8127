"""What all tests share: real recordings, and how Hypothesis runs."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.build import root

# The same examples every time: a test that fails here fails everywhere. No deadline: machines differ.
settings.register_profile(
    "relaywatch",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# `make fuzz`: other examples each time.
settings.register_profile("fuzz", settings.get_profile("relaywatch"), derandomize=False, max_examples=300)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "relaywatch"))

# Who follows the README has RELAYWATCH_KAFKA set: no test goes by the settings of whoever runs it.
for _name in [one for one in os.environ if one.startswith("RELAYWATCH_") and one != "RELAYWATCH_CACHE"]:
    del os.environ[_name]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Recordings that nobody here made; they stand beside the project and are no part of it."""
    folder = root().parent / "shared" / "data"
    if not folder.is_dir():
        absent = "the real recordings (../shared/data) are not there"
        if os.environ.get("CI") == "true":
            pytest.fail(f"{absent}, and CI needs them")
        pytest.skip(absent)
    return folder
