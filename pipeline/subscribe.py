"""For other programs: alerts as they are read from the alert topic. The one module that is made to be imported by them;
its names stay where they are, whatever moves behind it."""

from pipeline.shells.kafka.subscribe import Alert, Secret, Security, Tally, alerts

__all__ = ["Alert", "Secret", "Security", "Tally", "alerts"]
