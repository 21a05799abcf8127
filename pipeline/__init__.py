"""relaywatch: from relayed frames alone, say when a transmission ended, what the vehicle was doing when it
ended, whether that was expected, and what is still not known.

The files in the order the data passes:

records     what travels: frames, "listened and heard nothing", end of data
mission     the mission as data: vehicles, links and managed parameters, flights, contact plan
frames      octets to frames, each with one disposition
packets     frames to packets to values
telemetry   what `decode` tells `watch`: counts, continuity, listening and the values the mission names
evidence    the mergeable summary of what is known of a vehicle
verdicts    one file a type of alert: evidence, plan and watermark to incidents
incidents   the difference of two verdicts: the revisions that go out
flow        THE FLOW ON ONE SCREEN: decode and watch. Read this first.
topics      every topic: name, key, partitions, schema
metrics     every metric as data
accounting  every frame of a file accounted for: by counts alone, or by counts and times
report      evidence to plain words
shells      the only folder that touches Kafka, files, sockets, environment and clock
"""
