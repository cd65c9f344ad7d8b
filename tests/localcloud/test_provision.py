"""The manifest, connection.json and the certificates."""

import socket
import ssl
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_cloud import MANIFEST, ROOT, write_manifest

from localcloud.connection import Connection, ConnectionUnavailableError
from localcloud.manifest import Manifest, ManifestError
from localcloud.process import LOOPBACK
from localcloud.provision import provision


def prepare(folder: Path, **changes: Any) -> Connection:
    manifest = write_manifest(folder, **changes)
    return provision(folder / "state", folder, folder / "cache", manifest)


def test_what_is_written_can_be_loaded_and_is_private(tmp_path: Path) -> None:
    connection = prepare(tmp_path)
    assert Connection.load(tmp_path / "state") == connection
    mode = (tmp_path / "state" / "connection.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    assert stat.S_IMODE(connection.server_cert.stat().st_mode) == 0o600


def test_keys_ports_and_certificates_are_kept(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    certificate = first.server_cert.read_bytes()
    assert prepare(tmp_path) == first
    assert first.server_cert.read_bytes() == certificate


def test_keys_and_names_differ_between_local_clouds(tmp_path: Path) -> None:
    seen = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made = prepare(tmp_path / name)
        seen += [made.identity.header, made.identity.signing_key, made.functions.key]
        seen += [made.cloud.name]
    assert len(set(seen)) == 8


def test_a_changed_manifest_is_followed(tmp_path: Path) -> None:
    first = prepare(tmp_path)
    second = prepare(tmp_path, workspace="ws-other")
    assert second.workspace == "ws-other"
    assert second.github.token == first.github.token


@pytest.mark.parametrize("text", [None, "", "{}", "[" * 10_000, '{"state_dir": 1}'])
def test_an_unusable_connection_says_so(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "connection.json").write_text(text)
    with pytest.raises(ConnectionUnavailableError, match=r"connection\.json"):
        Connection.load(tmp_path)


def test_an_unusable_connection_is_replaced(tmp_path: Path) -> None:
    prepare(tmp_path)
    (tmp_path / "state" / "connection.json").write_text("{")
    again = prepare(tmp_path)
    assert Connection.load(tmp_path / "state") == again


def test_the_servers_certificate_is_trusted_by_name_and_address(tmp_path: Path) -> None:
    connection = prepare(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(connection.server_cert)
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            for _ in range(2):
                accepted, _address = listener.accept()
                with server.wrap_socket(accepted, server_side=True) as stream:
                    stream.recv(1)

        threading.Thread(target=serve, daemon=True).start()
        for bundle, name in ((connection.ca_file, "localhost"), (connection.ca_bundle, LOOPBACK)):
            client = ssl.create_default_context(cafile=str(bundle))
            with (
                socket.create_connection(listener.getsockname()) as plain,
                client.wrap_socket(plain, server_hostname=name) as stream,
            ):
                assert stream.getpeercert()


def test_app_settings_are_filled_in(tmp_path: Path) -> None:
    settings = {
        "STORAGE": "${storage.connection_string}",
        "INBOX": '["json://127.0.0.1:${ports.inbox}/inbox"]',
        "CLOUD": "${json:cloud.metadata}",
        "PLAIN": "costs $5 {x}",
    }
    connection = prepare(tmp_path, app_settings=settings)
    environment = Manifest.load(connection.manifest_file).app_environment(connection)
    assert environment["STORAGE"] == connection.storage.connection_string
    assert environment["INBOX"] == f'["json://127.0.0.1:{connection.ports.inbox}/inbox"]'
    assert connection.cloud.metadata.model_validate_json(environment["CLOUD"])
    assert environment["PLAIN"] == "costs $5 {x}"


def test_the_projects_own_manifest_can_be_used(tmp_path: Path) -> None:
    manifest = ROOT / "infra" / "local.yaml"
    connection = provision(tmp_path / "state", ROOT, tmp_path / "cache", manifest)
    assert "${" not in "".join(Manifest.load(manifest).app_environment(connection).values())


SUBSCRIPTION = MANIFEST["event_subscriptions"][0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"surprise": 1}, "surprise", id="unknown key"),
        pytest.param({"github": {"repository": "models"}}, "github.repository", id="no owner"),
        pytest.param({"computes": [{"name": "c"}]}, "computes.0.size", id="missing key"),
        pytest.param({"event_subscriptions": [SUBSCRIPTION] * 2}, "same name", id="twice"),
        pytest.param({"app_settings": {"A": "${nothing.here}"}}, "nothing.here", id="placeholder"),
        pytest.param({"workspace": None}, "workspace", id="null"),
    ],
)
def test_a_wrong_manifest_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        prepare(tmp_path, **changes)


@given(content=st.binary() | st.text().map(str.encode))
def test_what_is_no_manifest_is_refused(
    content: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "nonsense.yaml"
    path.write_bytes(content)
    with pytest.raises(ManifestError, match=r"nonsense\.yaml"):
        Manifest.load(path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="absent"):
        Manifest.load(tmp_path / "absent.yaml")
