"""The mutation operators: each makes a small, easily made mistake in one place."""

from services.labeler.operators.access import IndexOffByOne, SliceBoundRemoval
from services.labeler.operators.arithmetic import ArithmeticOperator, AugmentedOperator, AugmentedToPlain, UnaryRemoval
from services.labeler.operators.calls import ArgumentSwap, CallSwap, RangeOffByOne
from services.labeler.operators.constants import BooleanConstant, FloatConstant, IntegerConstant, StringConstant
from services.labeler.operators.logic import LogicalOperator, NegatedCondition, RelationalOperator
from services.labeler.operators.names import NameSwap
from services.labeler.operators.order import (
    StatementExchange,
    StatementOmission,
    StatementRepetition,
    StatementReplacement,
)
from services.labeler.operators.statements import BreakContinue, ReturnNone, StatementDeletion
from services.labeler.rule import Rule

OPERATORS: tuple[Rule, ...] = (
    IntegerConstant(),
    FloatConstant(),
    StringConstant(),
    BooleanConstant(),
    ArithmeticOperator(),
    AugmentedOperator(),
    AugmentedToPlain(),
    UnaryRemoval(),
    RelationalOperator(),
    LogicalOperator(),
    NegatedCondition(),
    ReturnNone(),
    StatementDeletion(),
    BreakContinue(),
    CallSwap(),
    ArgumentSwap(),
    RangeOffByOne(),
    IndexOffByOne(),
    SliceBoundRemoval(),
    NameSwap(),
    StatementOmission(),
    StatementExchange(),
    StatementRepetition(),
    StatementReplacement(),
)
"""All operators, in the order in which a place is offered to them."""
