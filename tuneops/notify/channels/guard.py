"""Where messages may go: not where a platform keeps its identities. Pure."""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from tuneops.notify.channel import ChannelError

_PLATFORM = tuple(
    ip_network(each)
    for each in ("169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "168.63.129.16/32")
)
"""Link-local addresses, where metadata and identities are, and Azure's own host."""
_IDENTITIES = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "IMDS_ENDPOINT")
_PORTS = {"http": 80, "https": 443}


class ForbiddenError(ChannelError):
    """Messages do not go to this place."""


def check_url(url: str, environment: Mapping[str, str]) -> None:
    """Make sure that an address may be posted to: HTTPS, but for this machine's own.

    Raises:
        ForbiddenError: it may not; the text does not show it.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        raise ForbiddenError("is no https:// address")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ForbiddenError("must be an https:// address")
    check_address(parts.hostname, parts.port or _PORTS[parts.scheme], environment)


def check_address(host: str, port: int, environment: Mapping[str, str]) -> None:
    """Make sure that a host, by name or number, is none of the platform's own.

    Raises:
        ForbiddenError: it is.
    """
    address = _address(host)
    if address and any(address in network for network in _PLATFORM):
        raise ForbiddenError("leads to an address of the platform itself")
    for name in _IDENTITIES:
        own = _split(environment.get(name, ""))
        if own is None or not own.hostname:
            continue
        same = own.hostname == host or (is_loopback(own.hostname) and is_loopback(host))
        if same and (own.port or _PORTS.get(own.scheme)) == port:
            raise ForbiddenError("leads to where the app's identity is kept")


def is_loopback(host: str) -> bool:
    """Whether the host is this machine."""
    address = _address(host)
    return address.is_loopback if address else host.lower() == "localhost"


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts
