"""The table role on files of a folder."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from mainstay.connectors.table_file.files import TableFile
from mainstay.connectors.table_file.settings import TableFileConnection
from mainstay.kit import (
    Http,
    HttpSettings,
    NeedsHumanError,
    RecordStore,
    Row,
    Rows,
    TransientError,
    VendorError,
    Written,
)
from mainstay.kit.roles import clean, rows_by_key

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO, errno.EAGAIN})
Result = TypeVar("Result")


def http_settings(settings: TableFileConnection) -> HttpSettings:
    """Return the folder; no call goes over HTTP."""
    return HttpSettings(base_url=settings.folder.as_uri())


def make_table(settings: TableFileConnection, http: Http, _store: RecordStore | None = None) -> FileTable:
    """Build the role for one attempt."""
    return FileTable(settings, http)


async def check(settings: TableFileConnection, _http: Http) -> str:
    """Look whether the folder is there."""
    if not settings.folder.is_dir() and settings.create != "tables":
        raise NeedsHumanError(f'there is no folder {settings.folder}: make it, or write create = "tables"')
    count = len(list(settings.folder.glob(f"[!.]*.{settings.format}"))) if settings.folder.is_dir() else 0
    return f"the folder {settings.folder} with {count} {settings.format} file{'' if count == 1 else 's'}"


class FileTable:
    """Each write replaces the file as a whole, so fewer and larger calls are better."""

    batch = 100_000

    def __init__(self, settings: TableFileConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def upsert_rows(self, table: str, key: str, rows: Sequence[Row]) -> Written:
        """Write rows; all of a call, or none."""
        file = TableFile(self._settings, table)
        wanted = rows_by_key(key, rows)
        if not wanted:
            return Written()
        return await self._done(f"upsert {len(wanted)} rows", file, lambda: file.upsert(key, wanted))

    async def remove_rows(self, table: str, key: str, values: Sequence[str]) -> Written:
        """Remove rows; all of a call, or none."""
        file = TableFile(self._settings, table)
        unwanted = {clean(value) for value in values if value}
        if not unwanted:
            return Written()
        return await self._done(f"remove {len(unwanted)} rows", file, lambda: file.remove(key, unwanted))

    async def read_rows(self, table: str, cursor: str = "") -> Rows:
        """Read some 10,000 rows."""
        file = TableFile(self._settings, table)
        return await self._done("read rows", file, lambda: file.read(cursor))

    async def _done(self, what: str, file: TableFile, work: Callable[[], Result]) -> Result:
        """Work in a thread, and turn what goes wrong into the step's fate; the call is recorded."""
        started = time.perf_counter()
        outcome: dict[str, object] = {}
        try:
            return await asyncio.to_thread(work)
        except VendorError as error:
            outcome["error"] = str(error)
            raise
        except OSError as error:
            refusal = _explain(error)
            outcome["error"] = str(refusal)
            raise refusal from None
        finally:
            took = round((time.perf_counter() - started) * 1000)
            self._http.record(method="FILE", url=file.path.as_uri(), request={"what": what}, ms=took, **outcome)


def _explain(error: OSError) -> VendorError:
    text = f"{error.filename or 'the file'}: {error.strerror or error}"
    if error.errno in _FULL:
        return TransientError(text)
    return NeedsHumanError(f"{text}; let Mainstay's user read and write the folder and its files")
