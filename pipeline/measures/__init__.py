"""How what passes and what is known become samples of `pipeline.metrics`. Knows no exporter and no clock."""
