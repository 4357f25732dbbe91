"""The broker's configuration."""

from pathlib import Path

from kafka_broker.listeners import CONTROLLER, HOST, PASSWORD, PLAIN, SASL, SASL_TLS, TLS, USER

# One node can be no replica of another. Groups start at once, and a member that was killed is missed after seconds in the
# new protocol too, where the broker and not the client says so (45 s by default). A broker that was killed waits at its
# next start until its former self is given up: 9 s by default. Nothing is written to the metadata while nothing happens.
FIXED = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
auto.create.topics.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
metadata.max.idle.interval.ms=0
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=1000
"""

MODULES = "org.apache.kafka.common.security"
LOGINS = {
    "plain": f'{MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
    "scram-sha-256": f"{MODULES}.scram.ScramLoginModule required;",
    "scram-sha-512": f"{MODULES}.scram.ScramLoginModule required;",
    # Without options the broker takes unsigned tokens, which a test can make itself.
    "oauthbearer": f"{MODULES}.oauthbearer.OAuthBearerLoginModule required;",
}


def make_properties(folder: Path, ports: dict[str, int]) -> str:
    """Return the text of `server.properties` for a broker in *folder* that listens on *ports*."""
    clients = [name for name in ports if name != CONTROLLER]
    protocols = {**{name: name for name in clients}, CONTROLLER: PLAIN}
    lines = {
        "log.dirs": str(folder / "data"),
        "controller.quorum.voters": f"1@{HOST}:{ports[CONTROLLER]}",
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items()),
        "advertised.listeners": ",".join(f"{name}://{HOST}:{ports[name]}" for name in clients),
        "listener.security.protocol.map": ",".join(f"{name}:{each}" for name, each in protocols.items()),
    }
    for name in {SASL, SASL_TLS} & set(clients):
        lines |= _sasl_lines(name)
    if TLS in clients:
        store = folder / "broker.p12"
        lines |= {"ssl.keystore.type": "PKCS12", "ssl.keystore.location": str(store), "ssl.keystore.password": PASSWORD}
    return FIXED + "".join(f"{key}={_escaped(value)}\n" for key, value in lines.items())


def _escaped(value: str) -> str:
    r"""Return *value* as Java reads it: a properties file is Latin-1, anything else is `\uXXXX` in UTF-16."""
    units = value.replace("\\", "\\\\").encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[place : place + 2], "big") for place in range(0, len(units), 2))
    return "".join(chr(code) if 0x20 <= code < 0x7F else f"\\u{code:04x}" for code in codes)


def _sasl_lines(listener: str) -> dict[str, str]:
    prefix = f"listener.name.{listener.lower()}"
    lines = {f"{prefix}.{mechanism}.sasl.jaas.config": login for mechanism, login in LOGINS.items()}
    return lines | {f"{prefix}.sasl.enabled.mechanisms": ",".join(LOGINS).upper()}
