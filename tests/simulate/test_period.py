"""How often a vehicle sends, as a scenario says it."""

import pytest

from pipeline.errors import MissionError
from pipeline.records import SECOND
from pipeline.shells.files.resources import mission_path, read_text
from pipeline.simulate.load import load_scenario
from pipeline.simulate.simulation import transmit

HEAD = 'name = "often"\ntitle = "often"\nseed = 1\nstarts_at = 2024-01-18T12:00:00Z\n'


def load(text):
    return load_scenario(HEAD + text, where="often.toml", mission_text=lambda name: read_text(mission_path(name)))


@pytest.mark.parametrize("period", [0.02, 0.1, 0.5])
def test_a_flight_is_sent_at_its_own_period_from_its_first_frame_to_the_end_of_its_profile(period):
    sent = transmit(load(f'[[flights]]\nfrom_s = -2.0\nperiod_s = {period}\nprofile = [["hover", 10.0, 5.0]]\n'))
    assert len(sent) == round(12 / period) + 1
    assert {b.at - a.at for a, b in zip(sent, sent[1:])} == {round(period * SECOND)}


@pytest.mark.parametrize("period", ["0", "-0.1", "0.00001"])
def test_a_period_that_is_none_is_refused_with_its_line(period):
    with pytest.raises(MissionError, match=r"often\.toml:6: flights\[0\]\.period_s: \S+ s is less than 0\.0001 s"):
        load(f"[[flights]]\nperiod_s = {period}\n")
