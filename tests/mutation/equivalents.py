"""What `make mutate` leaves out, and the mutants that change no behaviour: each with the reason.

A mutant is known by the line as it stands and as it was mutated, so that code may move. An entry that no surviving
mutant needs any more fails the run, too.
"""

LEFT_OUT = {
    r"core/ReplaceComparisonOperator_Is_(Eq|NotEq|Lt|LtE|Gt|GtE)": (
        "None and the members of an enum are single objects, so that == says what `is` says, and != what `is not` says "
        "(which is tried); and nobody orders statuses by the alphabet"
    ),
    r"core/ReplaceComparisonOperator_IsNot_(Eq|NotEq|Lt|LtE|Gt|GtE)": "the same",
}
"""Operators of Cosmic Ray by name."""

EQUIVALENT = {
    (
        "@dataclass(frozen=True, slots=True)",
        "@dataclass(frozen=True, slots=False)",
    ): "slots save memory; what the facts say is the same",
    (
        "if any(quote.submit_count > 0 for quote in facts.live_quotes):",
        "if any(quote.submit_count != 0 for quote in facts.live_quotes):",
    ): "a count of submissions is never below zero",
    (
        "return self.paid > 0 and self.refunded == self.paid",
        "return self.paid != 0 and self.refunded == self.paid",
    ): "the sum of payments is never below zero",
    (
        "return self.paid > 0 and self.refunded == self.paid",
        "return self.paid > 0 and self.refunded >= self.paid",
    ): "refunds never exceed what was paid (lifecycle.md 5.4)",
    (
        "return max(submitted, key=lambda agreement: agreement.submitted_order or 0, default=None)",
        "return max(submitted, key=lambda agreement: agreement.submitted_order or -1, default=None)",
    ): "those without an order were left out a line above; the 0 is there for the type, and no order is below it",
    (
        "return {job.number for job in facts.live_jobs} | {agreement.number for agreement in accepted}",
        "return {job.number for job in facts.live_jobs} ^ {agreement.number for agreement in accepted}",
    ): "no job bears the number of an agreement: J-1012, A-1012",
}
"""(the line, the mutated line): why no rule can tell them apart."""
