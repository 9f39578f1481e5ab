"""The rules by which operators of PIR become operators of a ProgramDesc."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Rule:
    """The form of an operator in a ProgramDesc: its type and the names of its parts."""

    type: str
    inputs: Sequence[str] = ("X",)
    outputs: Sequence[str] = ("Out",)
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Names of the attributes in a ProgramDesc, by their names in PIR."""
    constants: Mapping[str, int] = field(default_factory=dict)
    """Names of the attributes that are operands in PIR, by position."""
    fixed: Mapping[str, bool | int] = field(default_factory=dict)
    """Attributes, with their values, that PIR does not have."""
    source_type: str | None = None
    """Name of the attribute that holds the type of the first input; None if there is none."""


def _broadcast(kind: str) -> Rule:
    return Rule(kind, ("X", "Y"), fixed={"axis": -1})


def _reduce(kind: str) -> Rule:
    return Rule(kind, attributes={"keep_dim": "keepdim"}, constants={"dim": 1})


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


RULES = {
    "add": _broadcast("elementwise_add"),
    "cast": Rule("cast", attributes={"out_dtype": "dtype"}, source_type="in_dtype"),
    "clip": Rule("clip", constants={"min": 1, "max": 2}),
    "cumsum": Rule(
        "cumsum", attributes=_same("flatten", "exclusive", "reverse"), constants={"axis": 1}
    ),
    "divide": _broadcast("elementwise_div"),
    "embedding": Rule("lookup_table_v2", ("Ids", "W"), attributes=_same("padding_idx")),
    "equal": _broadcast("equal"),
    "full_like": Rule("fill_any_like", attributes=_same("dtype"), constants={"value": 1}),
    "gelu": Rule("gelu", attributes=_same("approximate")),
    "greater_equal": _broadcast("greater_equal"),
    "greater_than": _broadcast("greater_than"),
    "layer_norm": Rule(
        "layer_norm",
        ("X", "Scale", "Bias"),
        ("Y", "Mean", "Variance"),
        attributes=_same("begin_norm_axis", "epsilon"),
    ),
    "logical_and": Rule("logical_and", ("X", "Y")),
    "logical_not": Rule("logical_not"),
    "matmul": Rule(
        "matmul_v2", ("X", "Y"), attributes={"trans_x": "transpose_x", "trans_y": "transpose_y"}
    ),
    "max": _reduce("reduce_max"),
    "maximum": _broadcast("elementwise_max"),
    "multiply": _broadcast("elementwise_mul"),
    "not_equal": _broadcast("not_equal"),
    "p_norm": Rule("p_norm", attributes=_same("asvector", "axis", "epsilon", "keepdim", "porder")),
    "relu": Rule("relu"),
    "reshape": Rule("reshape2", constants={"shape": 1}),
    "rsqrt": Rule("rsqrt"),
    "scale": Rule("scale", attributes=_same("bias", "bias_after_scale"), constants={"scale": 1}),
    "shape64": Rule("shape", ("Input",)),
    "slice": Rule(
        "slice",
        ("Input",),
        attributes=_same("axes", "decrease_axis", "infer_flags"),
        constants={"starts": 1, "ends": 2},
    ),
    "softmax": Rule("softmax", attributes=_same("axis")),
    "sqrt": Rule("sqrt"),
    "squeeze": Rule("squeeze2", constants={"axes": 1}),
    "stack": Rule("stack", outputs=("Y",), attributes=_same("axis")),
    "subtract": _broadcast("elementwise_sub"),
    "sum": _reduce("reduce_sum"),
    "tanh": Rule("tanh"),
    "transpose": Rule("transpose2", attributes={"axis": "perm"}),
    "unsqueeze": Rule("unsqueeze2", constants={"axes": 1}),
}
