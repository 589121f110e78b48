"""RFC 9457 problem details: every error of the gateway has this shape."""

from collections.abc import Mapping
from typing import Any

from fastapi.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:monazite:problem:"


class ProblemError(Exception):
    """An error that is answered as problem details; `kind` is the last part of its `type`."""

    def __init__(
        self, *, status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.title = title
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = more


def problem_response(problem: ProblemError) -> JSONResponse:
    """Return the HTTP answer of a problem."""
    body = {
        "type": f"{TYPE_PREFIX}{problem.kind}", "title": problem.title, "status": problem.status,
        "detail": problem.detail, **problem.more,
    }  # fmt: skip
    return JSONResponse(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
