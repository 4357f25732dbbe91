"""The one question that tells whether a broker is ready, in Kafka's protocol and with nothing but a socket."""

import socket
import struct

METADATA, VERSION = 3, 1
NO_TOPICS = struct.pack(">i", 0)


def is_ready(host: str, port: int, timeout: float) -> bool:
    """Tell whether the broker answers within *timeout* seconds and counts itself as in service.

    An open port is not enough: a broker accepts connections some time before it takes part in its cluster, and clients
    that come in between are told that there is no broker.
    """
    header = struct.pack(">hhih", METADATA, VERSION, 1, -1)
    request = header + NO_TOPICS
    try:
        with socket.create_connection((host, port), timeout) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.makefile("rb")
            (length,) = struct.unpack(">i", answer.read(4))
            body = answer.read(length)
            # After the number of the request: the list of brokers, with its length first.
            (brokers,) = struct.unpack(">i", body[4:8])
    except (OSError, struct.error):
        return False
    return bool(brokers > 0)
