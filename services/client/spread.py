"""A name with several addresses is several servers: each request goes to the one that has least of ours to do.

httpx would resolve the name for each new connection and stay with the first address that answers, so of two executors
behind one name the second would stand idle. A server that can't be reached, breaks off or says that it is overloaded
rests for a moment: meanwhile the others are asked. Only a connection that was refused is tried elsewhere at once, for
then nothing was sent; the rest is for the caller's retries.
"""

import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx

Resolve = Callable[[str, int], Awaitable[list[str]]]

_RESOLVED_FOR_S = 5.0
_REST_S = 1.0
_CONNECT_TIMEOUT_S = 3.0
_OVERLOADED = frozenset({429, 503})


async def addresses_of(host: str, port: int) -> list[str]:
    """What the machine's resolver knows, each address once; raises OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Spread(httpx.AsyncBaseTransport):
    """Sends through `transport`, with the name in the URL replaced by the address chosen.

    A name with one address is left as it is. The name stays in the Host header and in what TLS verifies.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport, resolve: Resolve = addresses_of) -> None:
        self._transport = transport
        self._resolve = resolve
        self._known: dict[str, tuple[list[str], float]] = {}
        self._in_flight: Counter[str] = Counter()
        self._rests_until: dict[str, float] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Ask the addresses, the best first, until one takes the request."""
        addresses = await self._addresses(request.url)
        if len(addresses) == 1:
            return await self._transport.handle_async_request(request)
        *others, last = sorted(addresses, key=self._burden)
        for address in others:
            try:
                return await self._ask(address, request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await self._ask(last, request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _addresses(self, url: httpx.URL) -> list[str]:
        """Resolved again every few seconds; a name server that is away does not take away what is known."""
        known, until = self._known.get(url.host, ([], 0.0))
        if time.monotonic() < until:
            return known
        try:
            found = await self._resolve(url.host, url.port or (443 if url.scheme == "https" else 80))
        except OSError as error:
            if not known:
                raise httpx.ConnectError(f"{url.host}: {error.strerror or error}") from error
            found = known
        self._known[url.host] = found, time.monotonic() + _RESOLVED_FOR_S
        return found

    def _burden(self, address: str) -> tuple[bool, int, float]:
        """What speaks against an address: it rests, it has much to do; between equals a throw decides."""
        rests = time.monotonic() < self._rests_until.get(address, 0.0)
        return rests, self._in_flight[address], random.random()

    async def _ask(self, address: str, request: httpx.Request) -> httpx.Response:
        self._in_flight[address] += 1
        try:
            response = await self._transport.handle_async_request(_addressed(request, address))
        except httpx.TransportError:
            self._let_rest(address)
            raise
        finally:
            self._in_flight[address] -= 1
        if response.status_code in _OVERLOADED:
            self._let_rest(address)
        return response

    def _let_rest(self, address: str) -> None:
        self._rests_until[address] = time.monotonic() + _REST_S


def _addressed(request: httpx.Request, address: str) -> httpx.Request:
    """The same request to one address; a machine that is gone without a word is given up soon, there being others."""
    timeout = {**request.extensions.get("timeout", {}), "connect": _CONNECT_TIMEOUT_S}
    return httpx.Request(
        request.method,
        request.url.copy_with(host=f"[{address}]" if ":" in address else address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host, "timeout": timeout},
    )
