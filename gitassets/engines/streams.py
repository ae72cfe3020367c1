"""What one connection brings: judged, bounded, collected, written. Knows callbacks, not libcurl.

`Stream.receive` and `Stream.block.append` are what libcurl calls. No exception leaves them: pycurl
would print it and go on, so what was raised is kept in `raised` for the loop to raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitassets.engines.answers import Answer, Asked, judge
from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from gitassets.engines.ranges import Piece
    from gitassets.engines.schedule import Work

FLUSH = 512 * 1024
"""Bytes a stream may hold: libcurl hands over 16 KiB at a time, which is too little for a write;
a kill -9 may cost 1 MiB a stream."""

_STOP = 0
"""For libcurl: take nothing, end the transfer (CURLOPT_WRITEFUNCTION(3))."""


class Stream:
    """One connection's share of one job; used again for the next."""

    __slots__ = (
        "_asked",
        "_chunks",
        "_held",
        "answer",
        "block",
        "closing",
        "curl",
        "error",
        "headers",
        "mark",
        "piece",
        "proxy",
        "raised",
        "receive",
        "refused",
        "since",
        "work",
    )  # fmt: skip

    work: Work
    piece: Piece

    def __init__(self, curl: Any) -> None:
        self.curl = curl
        """The handle, which is the loop's business, as are the options set in it last."""
        self.closing: Callable[[], None] = curl.close
        """What to close beside the handle."""
        self.headers: list[str] | None = None
        self.proxy: str | None = None
        self.block: list[bytes] = []
        """Header lines as they come in; a list's append costs libcurl no Python frame."""
        self._chunks: list[bytes] = []
        self._held = 0
        receiver = self._receiver()
        next(receiver)
        self.receive = receiver.send
        """The write callback."""
        self.raised: BaseException | None = None

    def begin(self, work: Work, piece: Piece, now: float) -> None:
        """Forget the last transfer; the next bytes belong to `piece`."""
        self.work = work
        self.piece = piece
        piece.begun = self.mark = piece.position
        self.since = now
        self._asked = piece.end
        self.answer: Answer | None = None
        self.error: TransferError | None = None
        self.refused: str | None = None
        self.block.clear()

    def stalled(self, now: float, speed: int, seconds: float) -> bool:
        """Tell whether fewer than `speed` bytes a second came over the last `seconds`."""
        if self.piece.position - self.mark >= speed * seconds:
            self.mark, self.since = self.piece.position, now
        return now - self.since >= seconds

    def judge(self) -> None:
        """Judge the header block, once: sets `answer` or `error`."""
        work, piece = self.work, self.piece
        asked = Asked(
            source=str(work.request.source),
            url=work.request.url,
            start=piece.position,
            end=self._asked,
            size=work.job.size,
            validator=work.etag,
        )
        try:
            self.answer = answer = judge(self.block, asked)
        except TransferError as error:
            self.error = error
            return
        if answer.whole:
            work.whole = True
            work.ranges.whole(piece, work.job.size)
            self._asked = piece.end
        else:
            work.proven = True
            work.etag = work.etag or answer.etag

    @property
    def complete(self) -> bool:
        """Every byte of the piece was taken."""
        return self.piece.position >= self.piece.end

    def settle(self) -> None:
        """Write what is left and count what came; call once, when no callback will follow."""
        self.flush()
        self.work.count += self.piece.position - self.piece.begun

    def close(self) -> None:
        """End the handle."""
        self.closing()
        self.curl.close()

    def flush(self) -> None:
        """Write what is held; a disk that does not take it is this stream's error."""
        if not self._held:
            return
        try:
            self.work.job.sink.write(self.piece.position - self._held, self._chunks)
        except OSError as error:
            self.piece.position -= self._held
            reason = f"cannot write: {error.strerror or error}"
            self.error = TransferError(str(self.work.request.source), reason, Cause.LOCAL)
        self._chunks = []
        self._held = 0

    def _receiver(self) -> Generator[int | None, bytes, None]:
        """Take body bytes; yields what libcurl's write callback returns.

        A generator, because its frame and its `try` outlive the call: a signal handler that raises
        at the first instruction of a function would escape into pycurl, which swallows Ctrl-C.
        """
        reply: int | None = None
        while True:
            try:
                while True:
                    data = yield reply
                    reply = self._take(data)
            except GeneratorExit:
                return
            except BaseException as error:  # noqa: BLE001 - raised again by the loop
                self.raised = error
                reply = _STOP

    def _take(self, data: bytes) -> int | None:
        if self.answer is None:
            if self.error is None:
                self.judge()
            if self.error is not None:
                return _STOP
        piece = self.piece
        position = piece.position + len(data)
        if position >= piece.end:
            return self._take_last(data)
        self._chunks.append(data)
        piece.position = position
        self._held += len(data)
        if self._held >= FLUSH:
            self.flush()
            if self.error is not None:
                return _STOP
        return None

    def _take_last(self, data: bytes) -> int | None:
        """Take no byte beyond the piece; end a connection that would go on."""
        piece = self.piece
        room = piece.end - piece.position
        self._chunks.append(data[:room])
        self._held += room
        piece.position = piece.end
        sized = self.answer is not None and self.answer.sized
        return None if sized and len(data) == room and piece.end == self._asked else _STOP
