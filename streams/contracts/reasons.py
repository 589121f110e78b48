"""Why something was refused: the closed list of reason codes that dead letters, API answers and metrics share."""

from enum import StrEnum


class RejectReason(StrEnum):
    """Reason code of a refused record or event; bounded, so it may be a metric label."""

    NOT_JSON = "not_json"
    TOMBSTONE = "tombstone"
    TOO_LARGE = "too_large"
    INVALID_ENVELOPE = "invalid_envelope"
    UNKNOWN_TYPE = "unknown_type"
    WRONG_TOPIC = "wrong_topic"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    UNKNOWN_MATERIAL = "unknown_material"
    DATE_ORDER = "date_order"
    LEGAL_FORCE = "legal_force"
    INCONSISTENT = "inconsistent"
    CONFLICT = "conflict"
    INTERNAL = "internal"
    OUTPUT_TOO_LARGE = "output_too_large"
    UNREADABLE_BATCH = "unreadable_batch"


class DecodeError(ValueError):
    """A record or event that is refused: `reason`, the `field` (JSON pointer, "" for the whole), and the `detail`."""

    def __init__(self, *, reason: RejectReason, field: str, detail: str) -> None:
        super().__init__(f"{reason.value} at {field or '/'}: {detail}")
        self.reason = reason
        self.field = field
        self.detail = detail


class FieldError(ValueError):
    """Raised by a payload's own check when it is built; the codec turns it into a `DecodeError` with the pointer."""

    def __init__(self, *, reason: RejectReason, field: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.field = field
        self.detail = detail
