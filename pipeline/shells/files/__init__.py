"""Files: what is read from them and written to them, and what the commands that need no Kafka do with it."""
