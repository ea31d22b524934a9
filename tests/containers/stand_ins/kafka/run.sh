#!/bin/sh
# Kafka's tools by the names that they have in its release; logging as its release has it by default is not needed.
set -eu
case ${0##*/} in
kafka-server-start.sh) class=kafka.Kafka ;;
kafka-storage.sh) class=kafka.tools.StorageTool ;;
kafka-configs.sh) class=kafka.admin.ConfigCommand ;;
esac
exec /opt/java/bin/java ${KAFKA_HEAP_OPTS:--Xmx256m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:+ExitOnOutOfMemoryError \
    -Dlog4j2.level=WARN --sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED \
    -cp '/opt/kafka/libs/*' "$class" "$@"
