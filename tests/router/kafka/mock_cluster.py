"""Kafka brokers inside this process, with faults on demand: librdkafka's mock cluster.

They speak Kafka on local ports, so any client can use them, also one of another process; they end with this one
(`mock_cluster_process.py` has them in a process of their own). What they do not have: `CreateTopics` and the other admin
requests, more than about 5 MB or 100,000 records per partition (older ones are dropped), TLS, SASL. A topic nobody
created gets four partitions when a client asks for it and allows that.
"""

import ctypes
import enum
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException

from tests.router.kafka.mock_cluster_library import PRODUCER, load

ALL = -1
"""In place of a broker's number: every broker."""


class Request(enum.IntEnum):
    """Kafka's request types, by their numbers on the wire: those that a client of ours sends."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22
    OFFSET_FOR_LEADER_EPOCH = 23
    CONSUMER_GROUP_HEARTBEAT = 68


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came in: the number of the broker and that of the request type."""

    broker: int
    request: int


class MockCluster:
    """Mock brokers, numbered from 1, that answer until `close`.

    Errors are numbers of `confluent_kafka.KafkaError`; `KafkaError._TRANSPORT` cuts the connection instead of answering.
    Every call takes effect before it returns; any thread may make it. A broker, topic or partition that does not
    exist raises KafkaException.
    """

    def __init__(self, brokers: int = 3) -> None:
        self._library = load()
        self._client = self._open_client()
        self._cluster = ctypes.c_void_p(self._library.rd_kafka_mock_cluster_new(self._client, brokers))
        # A group's first member waits 3 s for others by default: every test would.
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, 0)
        self.bootstrap_servers: str = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster).decode()
        """What goes into `bootstrap.servers`."""

    def close(self) -> None:
        """End the brokers and free their ports; a second call does nothing."""
        cluster, self._cluster = self._cluster, ctypes.c_void_p()
        if cluster:
            self._library.rd_kafka_mock_cluster_destroy(cluster)
            self._library.rd_kafka_destroy(self._client)

    def create_topic(self, topic: str, partitions: int = 1, replicas: int = 1) -> None:
        """Create *topic*; its partitions are led by the brokers in turn."""
        self._check(self._library.rd_kafka_mock_topic_create(self._cluster, topic.encode(), partitions, replicas))

    def delete_topic(self, topic: str) -> None:
        """Delete *topic* with its records."""
        self._check(self._library.rd_kafka_mock_topic_delete(self._cluster, topic.encode()))

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Drop the records below the offset *before*, as retention does."""
        self._check(
            self._library.rd_kafka_mock_partition_delete_records(self._cluster, topic.encode(), partition, before)
        )

    def set_topic_error(self, topic: str, error: int) -> None:
        """Answer questions for the metadata of *topic* with *error*, 0 for none again."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), error)

    def set_leader(self, topic: str, partition: int, broker: int) -> None:
        """Make *broker* the leader of a partition, -1 for no leader at all."""
        self._check(self._library.rd_kafka_mock_partition_set_leader(self._cluster, topic.encode(), partition, broker))

    def set_coordinator(self, group: str, broker: int) -> None:
        """Make *broker* the coordinator of the consumer group *group*."""
        self._check(self._library.rd_kafka_mock_coordinator_set(self._cluster, b"group", group.encode(), broker))

    def set_down(self, broker: int = ALL) -> None:
        """Cut all connections of *broker* and refuse new ones; its partitions keep their leader."""
        self._check(self._library.rd_kafka_mock_broker_set_down(self._cluster, broker))

    def set_up(self, broker: int = ALL) -> None:
        """Accept connections to *broker* again."""
        self._check(self._library.rd_kafka_mock_broker_set_up(self._cluster, broker))

    def set_delay(self, seconds: float, broker: int = ALL) -> None:
        """Let every answer of *broker* take *seconds*, 0 for none."""
        self._check(self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, round(seconds * 1000)))

    def fail(self, request: int, *errors: int) -> None:
        """Answer the next requests of this type with *errors*, one each, whichever broker they go to; 0 lets one pass."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, request, len(errors), codes)

    def delay(self, request: int, seconds: float, error: int = 0, broker: int = ALL) -> None:
        """Answer the next request of this type to *broker* after *seconds*, with *error*.

        With `ALL` each broker does so once, because every broker has its own list.
        """
        brokers = range(1, self.bootstrap_servers.count(",") + 2) if broker == ALL else [broker]
        pair = ctypes.c_int(error), ctypes.c_int(round(seconds * 1000))
        for each in brokers:
            self._check(
                self._library.rd_kafka_mock_broker_push_request_error_rtts(self._cluster, each, request, 1, *pair)
            )

    def forget_faults(self, request: int) -> None:
        """Forget what `fail` still had in store for requests of this type; what `delay` was told stays."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, request)

    def set_group_times(self, session: float, heartbeat: float) -> None:
        """Set, in seconds, what a client with `group.protocol=consumer` takes from the broker instead of its configuration."""
        self._library.rd_kafka_mock_set_group_consumer_session_timeout_ms(self._cluster, round(session * 1000))
        self._library.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(self._cluster, round(heartbeat * 1000))

    def watch(self) -> None:
        """Note every request from now on, and forget those noted before."""
        self._library.rd_kafka_mock_start_request_tracking(self._cluster)

    def requests(self, request: int | None = None) -> list[Seen]:
        """Return the requests since `watch`, in the order they came in; of one type if *request* is given."""
        count = ctypes.c_size_t()
        array = self._library.rd_kafka_mock_get_requests(self._cluster, ctypes.byref(count))
        numbers, types = self._library.rd_kafka_mock_request_id, self._library.rd_kafka_mock_request_api_key
        seen = [Seen(numbers(array[place]), types(array[place])) for place in range(count.value)]
        if array:
            self._library.rd_kafka_mock_request_destroy_array(array, count)
        return [each for each in seen if request in (None, each.request)]

    def _open_client(self) -> ctypes.c_void_p:
        """Return the client that librdkafka wants for its book-keeping; it never connects."""
        text = ctypes.create_string_buffer(512)
        configuration = self._library.rd_kafka_conf_new()
        # It would report each connection that a fault cut to stderr.
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"0", text, len(text))
        client = self._library.rd_kafka_new(PRODUCER, configuration, text, len(text))
        if not client:
            raise RuntimeError(f"librdkafka opened no client: {text.value.decode()}")
        return ctypes.c_void_p(client)

    def _check(self, error: int) -> None:
        if error:
            raise KafkaException(KafkaError(error))
