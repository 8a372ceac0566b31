"""A file that only grows, one row a write; what cannot be written is kept and written later, in order."""

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Self

from onnes.instruments.clock import Clock
from onnes.instruments.errors import StorageError

FSYNC_INTERVAL_S = 1.0  # wall time; the most that a power cut may take
# Rows are held until they are known to be on the disk. In virtual time a second holds a hundred thousand of
# them, so the file is synced after this many bytes as well and the memory stays bounded.
_FSYNC_BYTES = 1 << 20
# A kill leaves a part of one row. More than this (a) behind the last whole row is damage, and is not cut off.
_LARGEST_TORN_BYTES = 1 << 16


class AppendFile:
    """Append rows to a file, each by a single write that includes its newline.

    A row is handed to the operating system at once (nothing is lost when the process is killed) and synced to
    the disk when a second of wall time has passed since the last sync (little is lost when the power goes).

    After a failed write or sync the rows that are not safe stay in memory; :meth:`flush` opens the file anew,
    so that a drive that was gone may come back, and writes them over whatever the failure left behind. A file
    that is gone while its folder is there is begun anew, and :attr:`remarks` says what is lost.

    Made by :meth:`create` and :meth:`take_up`.

    Attributes:
        head: what the file begins with, should it have to be made anew.
        remarks: sentences for the log about bytes that are not in the file any more.
    """

    def __init__(self, path: Path, wall: Clock, file: FileIO, head: bytes, length: int) -> None:
        self.path = path
        self.head = head
        self.remarks: list[str] = []
        self._wall = wall
        self._file = file
        self._rows: list[bytes] = []  # all since the last good sync
        self._synced = length  # length of the file that is known to be on the disk, bytes
        self._good = length  # length up to which whole rows were handed to the operating system, bytes
        self._broken = False
        self._synced_at = wall.now()

    @classmethod
    def create(cls, path: Path, wall: Clock, head: bytes = b"") -> Self:
        """Make a new file that begins with ``head``.

        Args:
            path: the file; it must not exist.
            wall: counts the time between two syncs; a wall clock, whatever time the laboratory has.

        Raises:
            StorageError: if the file exists or cannot be written.
        """
        try:
            file = cls(path, wall, FileIO(path, "x"), head, 0)
        except OSError as error:
            raise StorageError(f"cannot create {path}: {error.strerror}") from error
        if head:
            try:
                file.append(head)
                file.sync()
            except StorageError:
                with suppress(OSError):  # a drive that is gone keeps what it has
                    file._file.close()
                    path.unlink(missing_ok=True)
                raise
        return file

    @classmethod
    def take_up(cls, path: Path, wall: Clock, parts: Callable[[bytes], tuple[bytes, bytes]]) -> Self:
        """Go on with a file whose writer has ended or was killed, behind its last whole row.

        The part of a row behind it is cut off, and :attr:`remarks` says so.

        Args:
            wall: as for :meth:`create`.
            parts: takes the content apart: its head, and the whole rows with the head in front.

        Raises:
            StorageError: if there is no such file, it cannot be written, or more than a part of one row would
                have to be cut off; nothing is changed then.
        """
        try:
            content = path.read_bytes()
            head, whole = parts(content)
            torn = content[len(whole) :]
            if len(torn) > _LARGEST_TORN_BYTES:
                raise StorageError(
                    f"{path} is damaged: no row ends properly in its last {len(torn)} bytes; nothing was "
                    "changed; look for a quote that is not closed and repair it, or move the folder away"
                )
            handle = FileIO(path, "r+")
            try:
                handle.truncate(len(whole))
                handle.seek(len(whole))
                os.fsync(handle.fileno())
            except OSError:
                handle.close()
                raise
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"cannot take up {path}: {error.strerror or error}") from error
        file = cls(path, wall, handle, head, len(whole))
        if torn:
            file.remarks.append(f"cut {len(torn)} bytes of a torn row off {path.name}: {torn[:200]!r}")
        return file

    def append(self, row: bytes) -> None:
        """Write ``row``, which ends with its newline.

        Raises:
            StorageError: if it cannot be written or synced; the row is kept for :meth:`flush`.
        """
        self._rows.append(row)
        if self._broken:
            self.flush()
            return
        try:
            written = self._file.write(row)
            if written != len(row):
                raise OSError(errno.ENOSPC, f"{written} of {len(row)} bytes written")
            self._good += written
        except OSError as error:
            self._broken = True
            raise self._error(error) from error
        except BaseException:  # Ctrl-C: whether the row is whole is not known
            self._broken = True
            raise
        if self._good - self._synced >= _FSYNC_BYTES:
            self.sync()
        else:
            self.sync_if_due()

    def sync_if_due(self) -> None:
        """Sync when rows wait for it and a second of wall time has passed since the last sync.

        Raises:
            StorageError: as :meth:`sync`.
        """
        if self._rows and not self._broken and self._wall.now() - self._synced_at >= FSYNC_INTERVAL_S:
            self.sync()

    def sync(self) -> None:
        """Ask the operating system to put everything on the disk, now.

        Raises:
            StorageError: if it cannot; the rows since the last good sync are kept for :meth:`flush`.
        """
        try:
            os.fsync(self._file.fileno())
            self._look()
        except OSError as error:
            # After a failed fsync the kernel may forget the pages, so nothing since the last good one counts.
            self._good = self._synced
            self._broken = True
            raise self._error(error) from error
        self._rows, self._synced = [], self._good
        self._synced_at = self._wall.now()

    def pending(self) -> int:
        """Return how many rows are in memory because they could not be written or synced."""
        return len(self._unsafe_rows()) if self._broken else 0

    def flush(self) -> None:
        """Write and sync what is pending, each row once, whole and in order.

        Without a failure there is nothing to do, unless the file was removed since the last sync.

        Raises:
            StorageError: if it fails again; everything is still kept.
        """
        if not self._broken:
            try:
                self._look()
            except OSError:
                self._good = self._synced
                self._broken = True
            else:
                return
        with suppress(OSError):  # the handle may belong to a drive that is gone
            self._file.close()
        try:
            self._file = self._reopened()
            length = os.fstat(self._file.fileno()).st_size
            if length < self._good:  # the drive came back without what was not synced
                self._good = self._synced
            if length == 0 < self._synced:
                self._begin_anew()
            if length < self._synced:
                raise OSError(
                    errno.EIO,
                    f"it has {length} bytes where {self._synced} were written (move it away, and it is begun "
                    "anew)",
                )
            good = self._good
            self._file.seek(good)
            for row in self._unsafe_rows():
                written = self._file.write(row)
                if written != len(row):
                    raise OSError(errno.ENOSPC, f"{written} of {len(row)} bytes written")
                good += written
            self._file.truncate()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._error(error) from error
        self._rows, self._synced, self._good = [], good, good
        self._synced_at = self._wall.now()
        self._broken = False

    def close(self) -> None:
        """Flush, sync and close; later calls do nothing.

        Raises:
            StorageError: if rows are left that cannot be written; the file is closed all the same.
        """
        if self._file.closed and not self._broken:
            return
        try:
            self.flush()
            if self._rows:
                self.sync()
        finally:
            with suppress(OSError):  # what is not synced by now has been reported
                self._file.close()

    def _look(self) -> None:
        # On POSIX a file that was removed or moved takes rows without a word, and nobody finds them.
        if not os.path.samestat(self.path.stat(), os.fstat(self._file.fileno())):
            raise OSError(errno.ESTALE, "another file has taken its place")

    def _reopened(self) -> FileIO:
        try:
            return FileIO(self.path, "r+")
        except FileNotFoundError:
            # Only the file is made, never its folder: where a drive is gone, the folder would come to lie on
            # the disk below, and be hidden when the drive is back.
            return FileIO(self.path, "x")

    def _begin_anew(self) -> None:
        """Give up what was safe in a file that is gone, and say so."""
        self.remarks.append(
            f"{self.path.name} came back empty and was begun anew; {self._synced} bytes of before are lost"
        )
        self._synced = self._good = 0
        first = b"".join(self._rows[:1])
        if not first.startswith(self.head):
            self._rows[:1] = [self.head + first]  # one row, so that they are counted right

    def _unsafe_rows(self) -> list[bytes]:
        offset = self._synced
        for index, row in enumerate(self._rows):
            if offset + len(row) > self._good:
                return self._rows[index:]
            offset += len(row)
        return []

    def _error(self, error: OSError) -> StorageError:
        return StorageError(
            f"cannot write {self.path}: {error.strerror or error}; rows kept in memory: "
            f"{len(self._unsafe_rows())}; make room or bring the drive back, then writing goes on"
        )
