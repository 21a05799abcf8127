"""How strong a vehicle arrives at a receiver, and which of its frames are lost: the plane-earth model, what stands in
the way, and chance."""

import random
from collections.abc import Sequence
from math import exp, log10, pi
from typing import Final, TypeVar

from pipeline.simulate.scenario import Fade, Loss, Scenario, Silence
from pipeline.simulate.vehicle import Sent

WAVELENGTH_M: Final = 0.328
"""At 914 MHz."""
LOWEST_ANTENNA_M: Final = 0.4
"""The vehicle's antenna above the ground it stands on."""

E = TypeVar("E", Fade, Loss, Silence)


class Channel:
    """The way from the vehicles to one receiver."""

    def __init__(self, scenario: Scenario, link: str) -> None:
        self.scenario = scenario
        self.link = link
        self.random = random.Random(f"{scenario.seed}/{link}/loss")
        self.jitter = random.Random(f"{scenario.seed}/{link}/level")

    def level_dbm(self, sent: Sent) -> float:
        """Received power of a frame."""
        radio = self.scenario.radio
        height = max(sent.altitude_m, LOWEST_ANTENNA_M)
        return (
            radio.transmit_dbm - path_loss_db(radio.distance_m, radio.antenna_height_m, height) - self._faded_db(sent)
        )

    def loses(self, sent: Sent) -> bool:
        """Whether this frame does not arrive. Draws from the seed's chance once for each frame sent."""
        drawn = self.random.random()
        seconds = (sent.at - self.scenario.starts_at) / 1e9
        if self._is_silent(sent):
            return True
        radio = self.scenario.radio
        arrives = (1 - radio.loss) / (1 + exp(min(50.0, (radio.threshold_dbm - self.level_dbm(sent)) / radio.width_db)))
        for loss in self._about(self.scenario.losses, sent):
            if seconds in loss.kept_s:
                return False
            if loss.from_s <= seconds < loss.until_s:
                arrives *= 1 - loss.probability
        return drawn >= arrives

    def level_in(self, sent: Sequence[Sent]) -> float:
        """What a listening record says of an interval in which these frames were sent: the level of the last that was
        on its way at all, or the noise."""
        last = next((one for one in reversed(sent) if not self._is_silent(one)), None)
        noise = self.scenario.radio.noise_dbm
        jitter = (self.jitter.random() + self.jitter.random() - 1) * 0.5
        return round((noise if last is None else max(self.level_dbm(last), noise)) + jitter, 1)

    def _is_silent(self, sent: Sent) -> bool:
        seconds = (sent.at - self.scenario.starts_at) / 1e9
        return any(one.after_s < seconds < one.until_s for one in self._about(self.scenario.silences, sent))

    def _faded_db(self, sent: Sent) -> float:
        seconds = (sent.at - self.scenario.starts_at) / 1e9
        total = 0.0
        for fade in self._about(self.scenario.fades, sent):
            if fade.from_s <= seconds < fade.until_s and sent.altitude_m < fade.below_m:
                done = (seconds - fade.from_s) / (fade.until_s - fade.from_s)
                total += fade.db[0] + (fade.db[-1] - fade.db[0]) * done
        return total

    def _about(self, events: tuple[E, ...], sent: Sent) -> list[E]:
        return [one for one in events if one.link in ("", self.link) and one.vehicle in ("", sent.vehicle)]


def path_loss_db(distance_m: float, relay_height_m: float, vehicle_height_m: float) -> float:
    """Plane earth beyond 4 h_r h_v / lambda: 40 log d - 20 log (h_r h_v); free space before it."""
    if distance_m > 4 * relay_height_m * vehicle_height_m / WAVELENGTH_M:
        return 40 * log10(distance_m) - 20 * log10(relay_height_m * vehicle_height_m)
    return 20 * log10(4 * pi * distance_m / WAVELENGTH_M)
