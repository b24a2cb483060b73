"""Keeps callbacks out of the own network: which addresses may be posted to, asked anew at every connection."""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

LONGEST_URL: Final = 2048
_LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
_RESOLVE_SECONDS: Final = 3.0
#: Beside what the library calls not global: carriers' NAT, IPv6 forms that carry an IPv4 address, old site-local ones.
_NOT_PUBLIC: Final = tuple(
    map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10"))
)
_CARRIER_NAT: Final = ipaddress.ip_network("100.64.0.0/10")

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


class NotAllowedError(Exception):
    """An address that nothing is posted to; the message says why."""


class Guard:
    """Knows which addresses may be posted to."""

    def __init__(self, allowed_networks: str = "", *, allow_insecure: bool = False) -> None:
        """`allowed_networks`: comma-separated, beside the public ones; plain http is for them alone.

        `allow_insecure` opens loopback. Raises: ValueError for what is no network.
        """
        names = [*(_LOOPBACK if allow_insecure else ()), *allowed_networks.split(",")]
        self._networks: Sequence[Network] = [ipaddress.ip_network(name.strip()) for name in names if name.strip()]

    async def check(self, url: str) -> None:
        """Do nothing if a URL may be posted to; a name that does not resolve now may later. Raises: NotAllowedError."""
        parts = self._parsed(url)
        try:
            addresses = await resolve(parts.hostname or "", parts.port or 443)
        except OSError:
            addresses = []
        if not addresses and parts.scheme == "http":
            raise NotAllowedError("plain http is for networks of ROOFTREE_WEBHOOK_ALLOWED_NETWORKS")
        self.check_addresses(addresses, is_secure=parts.scheme == "https")

    def check_before_sending(self, url: str) -> None:
        """Check what can be checked without the name's addresses. Raises: NotAllowedError."""
        parts = self._parsed(url)
        literal = _literal(parts.hostname or "")
        if literal:
            self.check_addresses([literal], is_secure=parts.scheme == "https")

    def check_addresses(self, addresses: Iterable[Address], *, is_secure: bool) -> None:
        """Do nothing if all of them may be posted to. Raises: NotAllowedError."""
        for address in addresses:
            if any(address in network for network in self._networks):
                continue
            if not is_secure:
                raise NotAllowedError("plain http is for networks of ROOFTREE_WEBHOOK_ALLOWED_NETWORKS")
            if not is_public(address):
                raise NotAllowedError("address not allowed")

    def _parsed(self, url: str) -> SplitResult:
        if len(url) > LONGEST_URL or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url) or "\\" in url:
            raise NotAllowedError("not a URL")
        try:
            parts = urlsplit(url)
            port = parts.port
            host = (parts.hostname or "").encode("idna") if not _literal(parts.hostname or "") else b"ip"
        except (ValueError, UnicodeError):
            raise NotAllowedError("not a URL") from None
        if parts.scheme not in ("https", "http") or not host or port == 0:
            raise NotAllowedError("not an https URL with a host")
        if parts.scheme == "http" and not self._networks:
            raise NotAllowedError("not an https URL")
        if parts.username is not None or parts.password is not None or "#" in url:
            raise NotAllowedError("a user, a password or a fragment")
        return parts


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, and carries none that is not."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or any(address in network for network in _NOT_PUBLIC):
            return False
        return address.is_global and not address.is_multicast
    return address.is_global and not address.is_multicast and address not in _CARRIER_NAT


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


async def resolve(host: str, port: int) -> list[Address]:
    """Return the addresses of a name, or of a number in any spelling. Raises: OSError."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_RESOLVE_SECONDS):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (TimeoutError, UnicodeError) as error:
        raise OSError(f"cannot resolve {host}") from error
    return [ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found]


class GuardedResolver(AbstractResolver):
    """Gives a connection only addresses that it may go to: what was checked is what is connected to."""

    def __init__(self, guard: Guard, *, is_secure: bool) -> None:
        self._guard = guard
        self._is_secure = is_secure

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002  both families are checked
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises: OSError, NotAllowedError."""
        addresses = await resolve(host, port)
        self._guard.check_addresses(addresses, is_secure=self._is_secure)
        return [_result(host, port, address) for address in addresses]

    async def close(self) -> None:
        """Nothing is held open."""


def _result(host: str, port: int, address: Address) -> ResolveResult:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return ResolveResult(
        hostname=host, host=str(address), port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )
