"""Translates a program of today's Paddle (PIR) into the older ProgramDesc, which its OpenVINO
engine reads.

`paddle.jit.save` writes PIR only, and Paddle cannot convert it back. Some operands of a PIR
operator, such as the axes of a sum, are attributes of a ProgramDesc's. Only the operators of an
ERNIE network and of our heads are translated.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import paddle
from paddle.base import core
from paddle.base.proto import framework_pb2
from paddle.pir.core import datatype_to_vartype

from training.export.program.rules import RULES, Rule
from training.failures import ProgramUnknown

proto: Any = framework_pb2

_INTEGERS = (paddle.int32, paddle.int64)
_LONG = {("lookup_table_v2", "padding_idx"), ("fill_constant", "shape")}
"""Names of the attributes that are integers of 64 bits; all other integers have 32."""


def legacy_program(program: Path, prefix: str) -> bytes:
    """Translates a file of a PIR program into a serialised ProgramDesc. Raises ProgramUnknown.

    Parameters keep their names, so both read one weights file. Names of computed values begin with
    `prefix`: Paddle files the engines of a process by a hash of these names, and replaces an engine
    that has the same.
    """
    source = paddle.static.Program()
    core.deserialize_pir_program(str(program), source)
    writer = _Writer(prefix)
    for operator in source.global_block().ops:
        writer.write(operator)
    return writer.serialised()


class _Writer:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._program = proto.ProgramDesc()
        self._block = self._program.blocks.add(idx=0, parent_idx=-1)
        self._names: dict[str, list[str]] = {}
        """The name of each value; a combined value has the names of its parts."""
        self._constants: dict[str, Any] = {}
        """Attributes of the operator behind each value that is known before the program runs."""
        for name, kind in (("feed", "FEED_MINIBATCH"), ("fetch", "FETCH_LIST")):
            holder = self._block.vars.add(name=name, persistable=True)
            holder.type.type = proto.VarType.Type.Value(kind)

    def serialised(self) -> bytes:
        serialised: bytes = self._program.SerializeToString()
        return serialised

    def write(self, operator: Any) -> None:
        """Appends one operator to the translated program. Raises ProgramUnknown."""
        operands, results = operator.operands_source(), operator.results()
        attributes = operator.attrs()
        match operator.name().partition(".")[2]:
            case "parameter":
                self._declare(results[0], attributes["parameter_name"]).persistable = True
            case "data":
                fed = sum(each.type == "feed" for each in self._block.ops)
                self._declare(results[0], attributes["name"])
                self._append("feed", {"X": ["feed"]}, {"Out": self._read(results[0])}, {"col": fed})
            case "fetch":
                inputs = {"X": self._read(operands[0])}
                self._append("fetch", inputs, {"Out": ["fetch"]}, {"col": attributes["col"]})
            case "combine":
                self._names[results[0].id] = [self._read(value)[0] for value in operands]
            case "full" | "full_int_array":
                self._constants[results[0].id] = attributes
            case "full_with_tensor":
                value = self._made(operands[0])["value"]
                shape = {"ShapeTensor": self._read(operands[1])}
                self._fill(results[0], value, attributes["dtype"], shape)
            case name if rule := RULES.get(name):
                self._apply(rule, operands, results, attributes)
            case name:
                raise ProgramUnknown(
                    f"the network has the operator {name}, which cannot be written for Paddle's"
                    " OpenVINO engine yet; add it to training/export/program/rules.py"
                )

    def _apply(
        self, rule: Rule, operands: list[Any], results: list[Any], attributes: Mapping[str, Any]
    ) -> None:
        written: dict[str, Any] = {**rule.fixed}
        for name, there in rule.attributes.items():
            written[name] = attributes[there]
        for name, position in rule.constants.items():
            written[name] = self._constant(operands[position])
        if rule.source_type is not None:
            written[rule.source_type] = operands[0].dtype
        self._append(
            rule.type,
            {slot: self._read(value) for slot, value in zip(rule.inputs, operands, strict=False)},
            {slot: self._new(value) for slot, value in zip(rule.outputs, results, strict=True)},
            written,
        )

    def _made(self, value: Any) -> Any:
        """The attributes of the operator that makes a constant."""
        if value.id not in self._constants:
            maker = value.get_defining_op().name()
            raise ProgramUnknown(
                f"the network computes with {maker} what has to be known beforehand, such as an"
                " axis; write it with a constant"
            )
        return self._constants[value.id]

    def _constant(self, value: Any) -> float | int | list[int]:
        found = self._made(value)
        # PIR holds a number as a float, whatever its type.
        constant: float | list[int] = found["value"]
        if isinstance(constant, float) and found["dtype"] in _INTEGERS:
            return int(constant)
        return constant

    def _read(self, value: Any) -> list[str]:
        """The name of a value; a constant becomes a tensor first."""
        if value.id not in self._names:
            made = self._made(value)
            self._fill(value, made["value"], made["dtype"], {}, made["shape"] or [1])
        return self._names[value.id]

    def _fill(
        self,
        result: Any,
        value: float,
        dtype: Any,
        inputs: Mapping[str, list[str]],
        shape: Sequence[int] = (),
    ) -> None:
        attributes = {"value": float(value), "dtype": dtype, "shape": list(shape)}
        self._append("fill_constant", inputs, {"Out": self._new(result)}, attributes)

    def _new(self, value: Any) -> list[str]:
        self._declare(value, f"{self._prefix}.{len(self._block.vars)}")
        return self._names[value.id]

    def _declare(self, value: Any, name: str) -> Any:
        self._names[value.id] = [name]
        variable = self._block.vars.add(name=name)
        variable.type.type = proto.VarType.Type.Value("DENSE_TENSOR")
        tensor = variable.type.dense_tensor.tensor
        tensor.data_type = int(datatype_to_vartype[value.dtype])
        tensor.dims.extend(value.shape)
        return variable

    def _append(
        self,
        kind: str,
        inputs: Mapping[str, list[str]],
        outputs: Mapping[str, list[str]],
        attributes: Mapping[str, Any],
    ) -> None:
        operator = self._block.ops.add(type=kind)
        for slot, names in inputs.items():
            operator.inputs.add(parameter=slot, arguments=names)
        for slot, names in outputs.items():
            operator.outputs.add(parameter=slot, arguments=names)
        for name, value in attributes.items():
            _set(operator.attrs.add(name=name), value, long=(kind, name) in _LONG)


def _set(attribute: Any, value: Any, *, long: bool) -> None:
    """Fills one attribute of an operator with its value, in the type that a ProgramDesc gives
    it."""
    if isinstance(value, paddle.dtype):
        value = int(datatype_to_vartype[value])
    match value:
        case bool():
            kind, attribute.b = "BOOLEAN", value
        case int() if long:
            kind, attribute.l = "LONG", value
        case int():
            kind, attribute.i = "INT", value
        case float():
            kind, attribute.f = "FLOAT", value
        case _ if long:
            kind = "LONGS"
            attribute.longs.extend(value)
        case _:
            kind = "INTS"
            attribute.ints.extend(value)
    attribute.type = proto.AttrType.Value(kind)
