"""The control plane: faults, settings, records, and what the vendors were asked and did."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from mainstay.sandbox.faults import Fault, Faults
from mainstay.sandbox.recording import Recording
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, Vendor, answer


class Control:
    """``/_control/...``; every error is a 400 or 404 with ``{"error": what is wrong and the mend}``."""

    def __init__(self, vendors: Mapping[str, Vendor], faults: Faults, recording: Recording) -> None:
        """Control these vendors."""
        self._vendors = vendors
        self._faults = faults
        self._recording = recording

    def handle(self, request: Request) -> Reply:
        """Answer one request of the control plane."""
        try:
            return answer(200, self._route(request))
        except LookupError as missing:
            return answer(404, {"error": str(missing.args[0])})
        except (SettingError, TypeError, ValueError) as problem:
            return answer(400, {"error": str(problem)})

    def _route(self, request: Request) -> Json:  # noqa: PLR0911 one return a route
        query = dict(request.query)
        match [request.method, *request.parts]:
            case ["GET", "health"]:
                return {"status": "ok", "vendors": list(self._vendors)}
            case ["POST", "faults"]:
                return {"id": self._faults.add(Fault.parse(self._object(request), tuple(self._vendors)))}
            case ["GET", "faults"]:
                return {"faults": self._faults.listing()}
            case ["DELETE", "faults"]:
                number = int(query["id"]) if "id" in query else None
                return {"removed": self._faults.clear(query.get("vendor"), number)}
            case ["GET", "state", vendor]:
                return self._vendor(vendor).state()
            case ["GET", "requests"]:
                names = [self._vendor(query["vendor"]).name] if "vendor" in query else list(self._vendors)
                listed = itertools.chain.from_iterable(self._recording.listing(name) for name in names)
                total = sum(self._recording.total(name) for name in names)
                return {"total": total, "requests": sorted(listed, key=lambda entry: entry["seq"])}
            case ["PUT", "config", vendor]:
                return self._vendor(vendor).configure(self._object(request))
            case ["PUT", "records", vendor, kind]:
                records = request.json()
                if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                    raise SettingError("records are a JSON array of objects")
                return {"seeded": self._vendor(vendor).seed(kind, records)}
            case ["POST", "reset"]:
                self._reset()
                return {"status": "ok"}
            case _:
                raise LookupError(f"no {request.method} /_control{request.path}")

    def _reset(self) -> None:
        for vendor in self._vendors.values():
            vendor.reset()
        self._faults.clear()
        self._recording.clear()

    def _vendor(self, name: str) -> Vendor:
        if name not in self._vendors:
            raise LookupError(f"no vendor {name!r}; there are {', '.join(self._vendors)}")
        return self._vendors[name]

    def _object(self, request: Request) -> dict[str, Json]:
        value = request.json()
        if not isinstance(value, dict):
            raise SettingError("the body is a JSON object")
        return value
