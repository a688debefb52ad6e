"""The one way out of this machine: which host may be met, and at which addresses, checked where a connection is made.

A name alone proves nothing, since whoever answers for it in the DNS chooses the address, and may choose another one for
each question (DNS rebinding). So a name is asked for once, every address of the answer is checked, and the connection
goes to the very address that was checked. One bad address spoils the whole answer. TLS still asks for the name.

Everything that this program connects to as a client goes through here, but for the ledger's own database. Nothing that
is raised here holds an address.
"""

import ipaddress
import socket
from collections.abc import Collection

from sync_worker.settings.residency import is_loopback

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PRIVATE = [
    ipaddress.ip_network(one) for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
]
"""Networks of practices and of their VPNs (RFC 1918, RFC 6598, RFC 4193): their mail server may stand there."""
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052): the last four bytes are the address that is really met."""
_TUNNELS = [ipaddress.ip_network(one) for one in ("2002::/16", "2001::/32", "::/96")]
"""Ways to write an IPv4 address as an IPv6 one (RFC 3056, RFC 4380, RFC 4291) that no public service uses any more."""


class HostRefused(OSError):
    """The host is not on the list: nobody was asked for its address, and no connection was made."""


class AddressRefused(OSError):
    """The host's name leads to an address where it may not be met, or to none that can be read: no connection."""


def is_public(address: str) -> bool:
    """Whether an IP address can be a host of the public internet.

    Not so: private and shared networks, link-local, loopback, unspecified, multicast, reserved and documentation
    addresses, and any IPv6 address behind which such an IPv4 one hides. Raises ValueError for what is no address.
    """
    ip = _inner(ipaddress.ip_address(address))
    if ip.version == 6 and (ip.is_site_local or any(ip in network for network in _TUNNELS)):
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def require_public(
    host: str, port: int, allowed: Collection[str], *, may_be_private: Collection[str] = ()
) -> tuple[str, ...]:
    """The addresses at which `host` may be met, every one of them checked: connect to these, not to the name.

    `host` is a name or an address without brackets. `allowed` are the hosts of the list, in lower case. Those of
    `may_be_private`, for alarms alone, may also stand in a private network; never on this machine, never link-local.
    A host that is loopback by its own name may only be met on this machine.

    Raises `HostRefused`, `AddressRefused`, or `socket.gaierror` where the name has no address.
    """
    name = host.lower()
    if name not in allowed:
        raise HostRefused("the host is not on the list")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # a label that is too long, or empty
        raise AddressRefused("the name is none that can be asked for") from None
    addresses = tuple(dict.fromkeys(str(one[4][0]) for one in found))
    if not addresses or not all(_may_meet(name, address, may_be_private) for address in addresses):
        raise AddressRefused("the name leads where the host may not be met")
    return addresses


def connect(
    host: str, port: int, allowed: Collection[str], *, timeout: float, may_be_private: Collection[str] = ()
) -> socket.socket:
    """A connection to one of the addresses that `require_public` gives, the first that answers.

    `timeout` is in seconds, for each address. Raises what `require_public` does, else `OSError`.
    """
    failed = OSError("there is no address")
    for address in require_public(host, port, allowed, may_be_private=may_be_private):
        try:
            return socket.create_connection((address, port), timeout)
        except OSError as error:
            failed = error
    raise failed


def _may_meet(name: str, address: str, may_be_private: Collection[str]) -> bool:
    try:
        if is_loopback(name):
            return ipaddress.ip_address(address).is_loopback
        if is_public(address):
            return True
        inner = _inner(ipaddress.ip_address(address))
    except ValueError:
        return False
    return name in may_be_private and any(inner in network for network in _PRIVATE)


def _inner(ip: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does; else the address itself."""
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip.ipv4_mapped is not None:
        return ip.ipv4_mapped
    return ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _TRANSLATED else ip
