"""Outputs of one record that are too large for one output record: split over several, or refused one by one. Pure.

The cut depends on the outputs and on a setting only, so what is made again after a crash is cut at the same places;
the setting may therefore change only after a clean stop: after a crash another cut would give a part that was seen
under its number another content.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from streams.contracts.reasons import RejectReason
from streams.runtime.ports import DeadLetter, Outcome

MAXIMUM_LETTER_BYTES = 900_000
"""The most of a value that a dead letter keeps: it stands there as Base64, a third longer, under a limit of 4 MiB."""
_FRAME_BYTES = 512  # the frame of a linked record, and Kafka's own of a batch with one record
_COMMA_BYTES = 1


def bounded(outcome: Outcome, *, limit_bytes: int) -> Outcome:
    """Return the outcome without the outputs that no record can hold; each becomes a dead letter with its size."""
    most = limit_bytes - _FRAME_BYTES
    if all(len(output) <= most for output in outcome.outputs):
        return outcome
    letters = [_too_large(output, limit_bytes) for output in outcome.outputs if len(output) > most]
    return replace(
        outcome,
        outputs=[output for output in outcome.outputs if len(output) <= most],
        dead_letters=[*outcome.dead_letters, *letters],
    )


def split(outputs: Sequence[bytes], *, limit_bytes: int) -> Iterator[Sequence[bytes]]:
    """Cut outputs, in their order, into as few parts as the limit allows; at least one, which may be empty."""
    most = limit_bytes - _FRAME_BYTES
    begin, held = 0, 0
    for number, output in enumerate(outputs):
        size = len(output) + _COMMA_BYTES
        if held and held + size > most:
            yield outputs[begin:number]
            begin, held = number, 0
        held += size
    yield outputs[begin:]


def _too_large(output: bytes, limit_bytes: int) -> DeadLetter:
    detail = (
        f"an output of {len(output)} bytes is larger than a record may be ({limit_bytes}); "
        "raise maximum_output_bytes and max.message.bytes of the output topic, or find why it is so large"
    )
    return DeadLetter(value=output, reason=RejectReason.OUTPUT_TOO_LARGE, field="", detail=detail)
