"""Kafka: clients and how they connect, topics and who may use them, publishing, subscribing. Knows no Faust."""
