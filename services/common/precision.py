"""The precisions in which a model computes, for settings of programs that hold no model too."""

from typing import Literal

Precision = Literal["fp32", "bf16", "int8"]
WantedPrecision = Literal["auto", "small", "fp32", "bf16", "int8"]
"""A precision of the model, or how to choose one: `auto` takes the fastest for passes of many texts
on this machine, `small` the one that needs the least memory, which is also the fastest for passes
of few texts."""
