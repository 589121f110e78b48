"""The AsyncAPI 3.0 document of the input topics, generated from the contracts."""

from typing import Any

import msgspec

from streams.contracts.events import PAYLOADS, family_of
from streams.contracts.topics import FAMILY_TOPICS, topic_name


def asyncapi_document(*, prefix: str, version: str) -> dict[str, Any]:
    """Return the document: one channel for each input topic, one message for each event type it may hold."""
    accepted = {name: payload for name, payload in PAYLOADS.items() if family_of(name) in FAMILY_TOPICS}
    _, schemas = msgspec.json.schema_components(tuple(accepted.values()), ref_template="#/components/schemas/{name}")
    channels = {
        topic: {
            "address": topic_name(topic, prefix=prefix),
            "messages": {
                name: {"$ref": f"#/components/messages/{name}"} for name in accepted if family_of(name) == family
            },
        }
        for family, topic in FAMILY_TOPICS.items()
    }
    messages = {
        name: {
            "name": name,
            "contentType": "application/cloudevents+json",
            "payload": _envelope(name, f"#/components/schemas/{payload.__name__}"),
        }
        for name, payload in accepted.items()
    }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Monazite input topics", "version": version},
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": {
            f"send-{family}": {"action": "receive", "channel": {"$ref": f"#/channels/{topic.replace('/', '~1')}"}}
            for family, topic in FAMILY_TOPICS.items()
        },
        "components": {"messages": messages, "schemas": schemas},
    }


def _envelope(name: str, data: str) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 200}
    return {
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": text,
            "type": {"const": name},
            "subject": {"type": "string", "maxLength": 200},
            "time": {"type": "string", "format": "date-time"},
            "recordedtime": {"type": "string", "format": "date-time"},
            "data": {"$ref": data},
        },
    }
