"""What one connection brings: judged, bounded, collected, written. Knows callbacks, not libcurl.

`Stream.receive` and `Stream.block.append` are what libcurl calls. No exception leaves them: pycurl
would print it or lose it, so what was raised is kept in `raised` for the loop to raise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gitassets.engines.answers import Answer, Asked, judge
from gitassets.errors import Cause, TransferError

if TYPE_CHECKING:
    from collections.abc import Generator

    from gitassets.engines.pieces import Piece
    from gitassets.engines.schedule import Work

FLUSH = 256 * 1024
"""Bytes a stream may hold: libcurl hands over 16 KiB at a time, which is too little for a write;
a kill -9 may cost 1 MiB a stream."""

_POLITE = 16 * 1024
"""Bytes of an error page that are read to keep the connection."""

_STOP = 0
"""For libcurl: take nothing, end the transfer (CURLOPT_WRITEFUNCTION(3))."""


class Stream:
    """One connection's share of one job; used again for the next."""

    work: Work
    piece: Piece
    answer: Answer | None
    error: TransferError | None
    refused: str | None
    """Why an address was not dialled."""

    def __init__(self, curl: Any) -> None:
        self.curl = curl
        """The handle. It, and the options that were last set in it, are the loop's business."""
        self.headers: list[str] | None = None
        self.proxy: str | None = None
        self.block: list[bytes] = []
        """Header lines as they come in: a list's append costs no Python frame a line."""
        self.raised: BaseException | None = None
        self._chunks: list[bytes] = []
        self._held = 0
        receiver = self._receiver()
        next(receiver)
        self.receive = receiver.send
        """The write callback."""

    def begin(self, work: Work, piece: Piece, now: float) -> None:
        """Forget the last transfer; the next bytes belong to `piece`."""
        self.work = work
        self.piece = piece
        piece.begun = self._mark = piece.position
        self._since = now
        self._asked = piece.end
        self._politeness = _POLITE
        self.answer = None
        self.error = None
        self.refused = None
        self.block.clear()

    def stalled(self, now: float, speed: int, seconds: float) -> bool:
        """Tell whether fewer than `speed` bytes a second came over the last `seconds`."""
        if self.piece.position - self._mark >= speed * seconds:
            self._mark, self._since = self.piece.position, now
        return now - self._since >= seconds

    @property
    def complete(self) -> bool:
        """Every byte of the piece was taken."""
        return self.piece.position >= self.piece.end

    def settle(self) -> None:
        """Judge an answer that had no body, write what is left, count what came.

        Call once, when no callback will follow.
        """
        if self.answer is None and self.error is None and self.block[-1:] in ([b"\r\n"], [b"\n"]):
            self._judge()
        self._flush()
        self.work.count += self.piece.position - self.piece.begun

    def _receiver(self) -> Generator[int | None, bytes, None]:
        """Take body bytes; yields what libcurl's write callback returns.

        A generator, because its `try` outlives the call: Python runs a signal handler at the first
        instruction of a function, and what it raises there would be lost in pycurl with the Ctrl-C.
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
        """Collect a part of the body; None means that all of it was taken."""
        if self.answer is None:
            if self.error is None:
                self._judge()
            if self.error is not None:
                self._politeness -= len(data)
                return None if self._politeness > 0 else _STOP
        piece = self.piece
        position = piece.position + len(data)
        if position >= piece.end:
            return self._take_last(data)
        self._chunks.append(data)
        self._held += len(data)
        piece.position = position
        if self._held >= FLUSH:
            self._flush()
            if self.error is not None:
                return _STOP
        return None

    def _take_last(self, data: bytes) -> int | None:
        """Take no byte beyond the piece; stop an answer that would go on."""
        piece = self.piece
        room = piece.left
        self._chunks.append(data[:room])
        self._held += room
        piece.position = piece.end
        ends = len(data) == room and piece.end == self._asked
        return None if ends and self.answer is not None and self.answer.sized else _STOP

    def _judge(self) -> None:
        """Judge the header block: sets `answer` or `error`."""
        work, piece = self.work, self.piece
        asked = Asked(
            str(work.request.source),
            work.request.url,
            piece.position,
            self._asked,
            work.job.size,
            work.etag,
        )
        try:
            answer = judge(self.block, asked)
        except TransferError as error:
            self.error = error
            return
        self.answer = answer
        if answer.whole:
            work.whole = True
            work.pieces.whole(piece, work.job.size)
            self._asked = piece.end
        else:
            work.proven = True
            work.etag = work.etag or answer.etag

    def _flush(self) -> None:
        """Write what is held; a disk that does not take it is this stream's error."""
        if not self._held:
            return
        try:
            self.work.job.sink.write(self.piece.position - self._held, self._chunks)
        except OSError as error:
            self.piece.position -= self._held
            self.error = self.work.error(f"cannot write: {error.strerror or error}", Cause.LOCAL)
        self._chunks = []
        self._held = 0
