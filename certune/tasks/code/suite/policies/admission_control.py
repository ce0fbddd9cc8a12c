"""Admission after an outage: every request that is let in is served before it times out.

The server takes one request at a time and `service` ticks for each, `queued` wait already.
"""

from certune.contracts import ensure, require


@require(lambda queued, service, timeout: queued >= 0 and service > 0 and timeout >= 0)
@ensure(lambda queued, service, timeout, result: not result or (queued + 1) * service <= timeout)
@ensure(lambda queued, service, timeout, result: result or (queued + 1) * service > timeout)
def admit(queued: int, service: int, timeout: int) -> bool:
    return queued < timeout // service
