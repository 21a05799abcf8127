"""relaywatch: from relayed frames alone, say when a transmission ended, what the vehicle was doing when it
ended, whether that was expected, and what is still not known.

The files in the order the data passes:

records     what travels: frames, "listened and heard nothing", end of data
mission     the mission as data: vehicles, links and managed parameters, flights, contact plan
frames      octets to frames, with what is bad about each
packets     frames to packets to values
clocks      whether the times of a record can all be true
channels    what is remembered of a link's channels: which frames came, which are not believed yet
decode      STAGE ONE: a record to what it says of each vehicle; every frame has one disposition
commands    what people ask for: acknowledge, shelve or close an incident, change the plan
telemetry   what `decode` tells `watch`: counts, continuity, listening and the values the mission names
evidence    the mergeable summary of what is known of a vehicle
verdicts    one file a type of alert: evidence, plan and watermark to incidents
lifecycle   the life of an incident: one table of states and events
people      what people asked for, as evidence: folded through that table, and into the plan
incidents   the difference of two verdicts: the revisions that go out
watch       STAGE TWO: telemetry to evidence to verdict to what is news; and what people ask for
outputs     what `watch` publishes: revisions of incidents, facts of flights
heartbeat   what a worker says of itself: its mission, its partitions, how far it is
flow        THE FLOW ON ONE SCREEN: decode, watch and obey. Read this first.
set_aside   which of the records that cannot be taken are kept, which run is passed over
topics      every topic: name, key, partitions, schema
metrics     every metric as data
measures    what passes and what is known, as samples of those metrics
backfill    a recording to those samples, at its own time
digest      one number for everything that was found
report      evidence to plain words
accounting  every frame of a file accounted for, with receive times or without
sight       relay, track and terrain to when the vehicle is out of sight, and what the plan should say of it
simulate    a scenario to the records a receiver would hand over
errors      what a person got wrong
texts       text that others wrote: what may travel, and how the rest is shown
subscribe   alerts for another program: what it imports
shells      the only folder that touches Kafka, files, sockets, environment and clock
"""
