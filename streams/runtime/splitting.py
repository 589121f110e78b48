"""Outputs of one record that are too large for one output record: split over several, or refused one by one. Pure.

The cut depends on the outputs and on a setting only, so what is made again after a crash is cut at the same places;
the setting may therefore change only after a clean stop: after a crash another cut would give a part that was seen
under its number another content.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from streams.contracts.reasons import RejectReason
from streams.runtime.stage_ports import DeadLetter, Outcome

MAXIMUM_LETTER_BYTES = 900_000
"""The most of a value that a dead letter keeps: it stands there as Base64, a third longer, under a limit of 4 MiB."""
_FRAME_BYTES = 512  # the frame of a linked record, and Kafka's own of a batch with one record
_COMMA_BYTES = 1


def bounded(outcome: Outcome, *, limit_bytes: int) -> Outcome:
    """Return the outcome without the outputs that no record can hold; each becomes a dead letter with its size."""
    most = limit_bytes - _FRAME_BYTES
    if max(map(len, outcome.outputs), default=0) <= most:
        return outcome
    letters = [_too_large(output, limit_bytes) for output in outcome.outputs if len(output) > most]
    counts, begin = [], 0
    for count in outcome.output_counts:
        counts.append(sum(len(output) <= most for output in outcome.outputs[begin : begin + count]))
        begin += count
    return replace(
        outcome,
        outputs=[output for output in outcome.outputs if len(output) <= most],
        output_counts=[count for count in counts if count],
        dead_letters=[*outcome.dead_letters, *letters],
    )


def split(outcome: Outcome, *, limit_bytes: int) -> Iterator[tuple[Sequence[bytes], Sequence[int]]]:
    """Cut outputs, in their order, into as few parts as the limit allows: the outputs of each, and their counts.

    What one event gave stays together where that fits into a record.
    """
    most = limit_bytes - _FRAME_BYTES
    if _size(outcome.outputs) <= most:
        yield outcome.outputs, outcome.output_counts
        return
    counts = outcome.output_counts or [1] * len(outcome.outputs)
    held: list[bytes] = []
    held_counts: list[int] = []
    held_bytes = begin = 0
    for count in counts:
        of_event = outcome.outputs[begin : begin + count]
        begin += count
        for together in [of_event] if _size(of_event) <= most else [[output] for output in of_event]:
            size = _size(together)
            if held and held_bytes + size > most:
                yield held, held_counts
                held, held_counts, held_bytes = [], [], 0
            held += together
            held_counts.append(len(together))
            held_bytes += size
    yield held, held_counts


def _size(outputs: Sequence[bytes]) -> int:
    return sum(map(len, outputs)) + _COMMA_BYTES * len(outputs)


def _too_large(output: bytes, limit_bytes: int) -> DeadLetter:
    detail = (
        f"an output of {len(output)} bytes is larger than a record may be ({limit_bytes}); "
        "raise maximum_output_bytes and max.message.bytes of the output topic, or find why it is so large"
    )
    return DeadLetter(value=output, reason=RejectReason.OUTPUT_TOO_LARGE, field="", detail=detail)
