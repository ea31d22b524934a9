import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Prints the events of one project: type, id and value. Offsets are committed after the records were handled, so that a program
 * that is killed gets some of them again, with the same id.
 *
 * <p>KAFKA: host:port. PROJECT: the project's id. GROUP: what the program is called. TOPIC: switchhook.events.v1, with the
 * installation's prefix, if it has one.
 */
public class EventReader {
    public static void main(String[] arguments) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", System.getenv("KAFKA"));
        settings.put("group.id", System.getenv("GROUP"));
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            Runtime.getRuntime().addShutdownHook(new Thread(consumer::wakeup));
            consumer.subscribe(List.of(System.getenv("TOPIC")));
            while (true) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofSeconds(1))) {
                    handle(record);
                }
                consumer.commitSync();
            }
        } catch (WakeupException asked) {
            // Somebody wants us to stop.
        }
    }

    private static void handle(ConsumerRecord<String, String> record) {
        if (System.getenv("PROJECT").equals(header(record, "ce_project"))) {
            System.out.println(header(record, "ce_type") + " " + header(record, "ce_id") + " " + record.value());
        }
    }

    private static String header(ConsumerRecord<String, String> record, String name) {
        Header found = record.headers().lastHeader(name);
        return found == null ? "" : new String(found.value(), java.nio.charset.StandardCharsets.UTF_8);
    }
}
