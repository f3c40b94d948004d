"""Whose program is next: clients take turns, and within a client its requests do.

A client with fifty requests, or with one of a thousand programs, is one among all clients; a request of a single
program waits for at most one program of each other client and of each other request of its own.
"""

from collections import OrderedDict, deque

from services.executor.order import Order


class Lanes:
    """The orders that have works waiting, a lane for each client; its user locks it."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, deque[Order]] = OrderedDict()
        self.waiting = 0
        """Works that nobody has begun."""

    def add(self, order: Order) -> None:
        """Let the works of `order` wait, behind the other orders of its client."""
        if order.works:
            self._lanes.setdefault(order.client, deque()).append(order)
            self.waiting += len(order.works)

    def take(self) -> tuple[Order, int] | None:
        """The order whose turn it is and the number of its next work; None where nothing waits."""
        if not self._lanes:
            return None
        client, lane = self._lanes.popitem(last=False)
        order = lane.popleft()
        number = order.taken
        order.taken += 1
        self.waiting -= 1
        if order.taken < len(order.works):
            lane.append(order)
        if lane:
            self._lanes[client] = lane
        return order, number

    def drop(self, order: Order) -> None:
        """Forget what still waits of `order`."""
        lane = self._lanes.get(order.client)
        if lane is None or order not in lane:
            return
        lane.remove(order)
        self.waiting -= len(order.works) - order.taken
        if not lane:
            del self._lanes[order.client]

    def clear(self) -> list[Order]:
        """Forget everything; the orders that had something waiting."""
        orders = [order for lane in self._lanes.values() for order in lane]
        self._lanes.clear()
        self.waiting = 0
        return orders
