"""Results of trials and sweeps: frozen documents in JSON and YAML. Information is in bits.

`schema` is the version of a document's schema. A number that does not exist, such as the rate of a
noiseless encoder, is None, never NaN or infinity.
"""

from paretoib.records._comparison import (
    ComparedPoint,
    ComparedSetting,
    Comparison,
    ComparisonSide,
    FrontDistance,
    Indicators,
    Side,
    SidedCost,
    Sides,
)
from paretoib.records._front import (
    Cost,
    ExactCurve,
    Front,
    HypervolumeCurve,
    ReferencePoint,
    Replicates,
)
from paretoib.records._importance import Importance
from paretoib.records._measurement import FrontPlace, Measurement
from paretoib.records._models import ModelFile, ModelFiles
from paretoib.records._outcomes import (
    MEASURES,
    FailedTrial,
    Interval,
    Measures,
    Outcome,
    Point,
    Setting,
)
from paretoib.records._pick import Criterion, LimitCheck, Margin, Pick, PickedSetting, PickRule
from paretoib.records._rows import Row, RowKind
from paretoib.records._sweeps import (
    RESUMABLE,
    LogPart,
    Metrics,
    OnProgress,
    PackProgress,
    RunningPacks,
    Status,
    SweepInfo,
    SweepState,
    TaskMetrics,
    TrialCounts,
    TrialRecord,
    Workers,
)

__all__ = [
    "MEASURES",
    "RESUMABLE",
    "ComparedPoint",
    "ComparedSetting",
    "Comparison",
    "ComparisonSide",
    "Cost",
    "Criterion",
    "ExactCurve",
    "FailedTrial",
    "Front",
    "FrontDistance",
    "FrontPlace",
    "HypervolumeCurve",
    "Importance",
    "Indicators",
    "Interval",
    "LimitCheck",
    "LogPart",
    "Margin",
    "Measurement",
    "Measures",
    "Metrics",
    "ModelFile",
    "ModelFiles",
    "OnProgress",
    "Outcome",
    "PackProgress",
    "Pick",
    "PickRule",
    "PickedSetting",
    "Point",
    "ReferencePoint",
    "Replicates",
    "Row",
    "RowKind",
    "RunningPacks",
    "Setting",
    "Side",
    "SidedCost",
    "Sides",
    "Status",
    "SweepInfo",
    "SweepState",
    "TaskMetrics",
    "TrialCounts",
    "TrialRecord",
    "Workers",
]
