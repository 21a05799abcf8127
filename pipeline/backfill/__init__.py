"""A recording's metrics at the time of the recording: what a worker would have shown while it happened, as OpenMetrics
text. Knows no file, no Prometheus and no clock but the relay's."""
