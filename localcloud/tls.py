"""The local cloud's certificate authority and the certificate of its servers."""

from dataclasses import dataclass
from pathlib import Path

import certifi
import trustme

from localcloud.connection import write_private

SERVER_NAMES = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class TlsFiles:
    """PEM files.

    ``ca`` is our authority alone, ``ca_bundle`` the public ones and ours, and ``server`` the
    servers' private key and certificate.
    """

    ca: Path
    ca_bundle: Path
    server: Path


def ensure_tls(directory: Path) -> TlsFiles:
    """The PEM files in ``directory``: made at the first call, kept by the later ones.

    The bundle is written each time, so that it follows the installed certifi.
    """
    files = TlsFiles(directory / "ca.pem", directory / "ca-bundle.pem", directory / "server.pem")
    directory.mkdir(parents=True, exist_ok=True)
    if not (files.ca.exists() and files.server.exists()):
        authority = trustme.CA(organization_name="localcloud")
        server = authority.issue_cert(*SERVER_NAMES)
        write_private(files.ca, authority.cert_pem.bytes().decode())
        write_private(files.server, server.private_key_and_cert_chain_pem.bytes().decode())
    write_private(files.ca_bundle, certifi.contents() + files.ca.read_text())
    return files
