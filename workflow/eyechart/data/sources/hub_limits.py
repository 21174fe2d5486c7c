"""Limits on the time and size of the hub's answers; huggingface_hub itself has none."""

from collections.abc import Iterator

import httpx2
from huggingface_hub import get_session

from eyechart.core.errors import shown
from eyechart.data.sources import patience

_MOST_BYTES = 100_000_000  # of an answer; a description of 100,000 files has about 30 MB


def limit_answers() -> None:
    """Add the limits to the client that all calls of huggingface_hub share."""
    client = get_session()
    hooks = client.event_hooks
    if _request not in hooks["request"]:
        client.event_hooks = {
            "request": [*hooks["request"], _request],
            "response": [*hooks["response"], _limit],
        }


class _Body(httpx2.SyncByteStream):
    """The bytes of an answer, up to a number; more raise a ValueError."""

    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        count = 0
        for chunk in self._stream:
            count += len(chunk)
            if count > _MOST_BYTES:
                raise ValueError(f"more than {_MOST_BYTES:,} bytes")
            yield chunk

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()


def _request(request: httpx2.Request) -> None:
    request.extensions["timeout"] = httpx2.Timeout(patience.TIMEOUT_S).as_dict()
    request.headers["Accept-Encoding"] = "identity"  # a small answer could unpack to a large one


def _limit(response: httpx2.Response) -> None:
    packed = response.headers.get("Content-Encoding", "identity")
    if packed.lower() != "identity":
        raise ValueError(f"compressed by {shown(packed)} although asked not to")
    response.stream = _Body(response.stream)  # type: ignore[arg-type]  # this client's, not async
