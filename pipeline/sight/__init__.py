"""Line of sight: where the ground hides a vehicle from a relay. Knows terrain, positions and a track in time; knows no
frame and no evidence. What it finds goes into a mission's plan as expected losses."""
