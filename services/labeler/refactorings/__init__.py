"""The refactorings: each says the same in other words, as far as a rule can know; the tests have the last word."""

from services.labeler.refactorings.assignments import ContractedIncrement, ExpandedIncrement, UnrolledComprehension
from services.labeler.refactorings.branches import ExpandedTernary, JoinedBranches, SwappedBranches
from services.labeler.refactorings.comparisons import (
    DenialOfContrary,
    ExplicitRangeStart,
    ImplicitRangeStart,
    MirroredComparison,
)
from services.labeler.refactorings.expressions import ComprehensionAsCall, SquareAsProduct
from services.labeler.refactorings.strings import FormatToFString
from services.labeler.refactorings.variables import ExtractedCondition, ExtractedResult, RenamedVariable
from services.labeler.rule import Rule

REFACTORINGS: tuple[Rule, ...] = (
    ExtractedResult(),
    ExtractedCondition(),
    RenamedVariable(),
    SwappedBranches(),
    ExpandedTernary(),
    JoinedBranches(),
    ExplicitRangeStart(),
    ImplicitRangeStart(),
    MirroredComparison(),
    DenialOfContrary(),
    ExpandedIncrement(),
    ContractedIncrement(),
    UnrolledComprehension(),
    FormatToFString(),
    SquareAsProduct(),
    ComprehensionAsCall(),
)
"""All refactorings, in the order in which a place is offered to them."""
