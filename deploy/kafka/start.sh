#!/bin/sh
# Prepares the storage where that was not done yet, then is the broker. The image's own start script writes its settings
# into the image, which is mounted read-only here.
set -eu
properties=/etc/relaywatch/server.properties
/opt/kafka/bin/kafka-storage.sh format --cluster-id "$CLUSTER_ID" --config "$properties" --standalone --ignore-formatted
# Here and not in the container's environment: the health check is a Java of its own, and would ask for as much.
export KAFKA_HEAP_OPTS="-Xms256m -Xmx512m"
exec /opt/kafka/bin/kafka-server-start.sh "$properties"
