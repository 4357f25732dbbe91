"""The commands of `scripts/kafka`.

The standard output of `start` and `status` is one line per listener; the plain one comes first and is its bare address, so that
`$(scripts/kafka start)` can be used as it is. Exit codes: 0 done; 1 it could not be done, or nothing runs; 2 wrong usage;
130 interrupted (SIGINT or SIGTERM), with nothing left running that was about to start.
"""

import argparse
import signal
import sys
from pathlib import Path

from kafka_broker.broker import Broker
from kafka_broker.errors import BrokerError
from kafka_broker.jars import cache_folder, require_jars_or_maven, require_java
from kafka_broker.listeners import PASSWORD, PLAIN, USER, Security

INTERRUPTED = 130  # 128 + SIGINT, as a shell has it


def main() -> int:
    """Run one command and return its exit code."""
    options = _read_options()
    broker = Broker(options.folder)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.command == "start":
            broker.start(Security(options.sasl, options.tls), options.port)
            _show(broker)
            return 0
        if options.command == "check":
            require_java()
            require_jars_or_maven()
            return 0
        if options.command == "status":
            return _status(broker)
        if not broker.stop():
            print(f"kafka: nothing runs in {broker.folder}", file=sys.stderr)
    except (BrokerError, OSError) as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("kafka: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _status(broker: Broker) -> int:
    pid = broker.pid()
    if pid is None:
        print(f"kafka: nothing runs in {broker.folder}", file=sys.stderr)
        return 1
    _show(broker)
    print(f"process {pid}, log {broker.log}", file=sys.stderr)
    return 0


def _show(broker: Broker) -> None:
    for name, address in broker.addresses().items():
        print(address if name == PLAIN else f"{name} {address}")
        if name.startswith("SASL"):
            print(f"{name}: user {USER}, password {PASSWORD} (PLAIN, SCRAM), or an unsigned token", file=sys.stderr)
        if name.endswith("SSL"):
            print(f"{name}: certificate {broker.folder / 'ca.pem'}", file=sys.stderr)


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 1 and 65535")
    return int(text)


def _read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kafka", description="Run a one-node Apache Kafka for tests and trials.")
    parser.add_argument(
        "command", choices=["start", "stop", "status", "check"], help="check: only see whether it could start"
    )
    parser.add_argument(
        "--folder", type=Path, default=cache_folder() / "kafka", metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument(
        "--port", type=_port, metavar="N", help="of the plain listener; default: the last one, else a free one"
    )
    parser.add_argument("--sasl", action="store_true", help="one more listener, with SASL")
    parser.add_argument(
        "--tls", action="store_true", help="one more listener, with TLS; both options: also one with both"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
