"""Every frame of a file accounted for: how many, what became of each, what is missing of every channel, and how many
packets came of every APID. Two ways to count: `by_count` where frames have no receive times (a raw frame file),
`by_time` where they have (a recording)."""
