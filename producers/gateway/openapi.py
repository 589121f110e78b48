"""What `/openapi.json` says of `POST /v1/events`, whose body FastAPI does not parse."""

from typing import Any

from streams.contracts.codec import BATCH_TYPE, STRUCTURED_TYPE

_EVENT = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "time", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string"},
        "source": {"type": "string"},
        "type": {"type": "string"},
        "subject": {"type": "string"},
        "time": {"type": "string", "format": "date-time"},
        "recordedtime": {"type": "string", "format": "date-time"},
        "data": {"type": "object"},
    },
}
_RESULT = {
    "type": "object",
    "required": ["index", "status"],
    "properties": {
        "index": {"type": "integer"},
        "status": {"enum": ["accepted", "late", "duplicate", "invalid"]},
        "source": {"type": "string"},
        "id": {"type": "string"},
        "reason": {"type": "string", "description": "reason code of an invalid event"},
        "pointer": {"type": "string", "description": "JSON pointer into the event"},
        "detail": {"type": "string"},
    },
}
_RESULTS = {
    "type": "object",
    "required": ["results", "durable"],
    "properties": {
        "results": {"type": "array", "items": _RESULT},
        "durable": {
            "type": "boolean",
            "description": "false: the broker is the embedded one and keeps nothing when the stack stops",
        },
        "retention": {"type": "string", "description": "how long the events are kept where `durable` is false"},
    },
}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "results": {"type": "array", "items": _RESULT},
    },
}
_PROBLEMS = {
    "401": "no valid key",
    "403": "the key has no scope for events",
    "413": "too large",
    "415": "not a CloudEvent",
    "422": "no valid event; all are kept in the dead letters",
    "429": "too many events",
    "503": "the broker does not answer; send again",
}

EVENTS_DOCUMENTATION: dict[str, Any] = {
    "description": "CloudEvents 1.0 in structured, batch or binary mode. 202 once the broker has every valid event.",
    "security": [{"bearer": []}],
    "requestBody": {
        "required": True,
        "content": {
            STRUCTURED_TYPE: {"schema": _EVENT},
            BATCH_TYPE: {"schema": {"type": "array", "maxItems": 500, "items": _EVENT}},
            "application/json": {"schema": {"description": "the data, in binary mode with ce- headers"}},
        },
    },
    "responses": {
        "202": {
            "description": "a result for each event",
            "content": {"application/json": {"schema": _RESULTS}},
        },
        **{
            status: {"description": text, "content": {"application/problem+json": {"schema": _PROBLEM}}}
            for status, text in _PROBLEMS.items()
        },
    },
}
