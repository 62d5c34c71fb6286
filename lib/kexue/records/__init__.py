"""Numbers of the book that are never typed by hand: claims, and the records of shipped training runs."""

from __future__ import annotations

from kexue.records.claims import Claim, ClaimError, claim, read_claims
from kexue.records.files import DamagedFileError
from kexue.records.glue import glue_value
from kexue.records.numbers import format_number
from kexue.records.record import Curve, Metric, Record, RecordError, load, read_record, save, shipped

__all__ = [
    "Claim",
    "ClaimError",
    "Curve",
    "DamagedFileError",
    "Metric",
    "Record",
    "RecordError",
    "claim",
    "format_number",
    "glue_value",
    "load",
    "read_claims",
    "read_record",
    "save",
    "shipped",
]
