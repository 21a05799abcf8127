"""The simulator: a scenario -> the records a receiver would hand over, the same octets for the same seed. Knows no file
and no clock.

scenario    what a scenario can say, as data: flights, what goes wrong, who listens, what must be found
load        TOML -> Scenario
merge       a mission with a scenario's changes
profile     where the vehicle is and in which phase, at each moment
packets     values -> space packets
frames      packets -> TM and AOS transfer frames
vehicle     what the vehicle sends: counts, on-board clock, restarts, playback
radio       how strong it arrives, and what is lost
receiver    what the relay heard -> records, with listening records between them
delivery    when records reach the ground, and in which order
simulation  all of it together
"""
