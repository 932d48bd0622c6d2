"""Vectors for compiled loops: LANES numbers, one of each of so many voxels, that stay in a processor's registers.

Loops over arrays leave it to the compiler whether it finds the vectors in them, and it often does not.

In compiled functions these work on lanes, with lanes or a number on the other side: ``+``, ``-``, ``*``, and the
functions below. None of them depends on how wide the processor's vectors are.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

LANES = 16 if get_host_cpu_features().get("avx512f", False) else 8
"""Numbers in a vector: with single precision what a register holds, or two."""


class Lanes(types.Type):
    """The type of a vector, float32 or float64."""

    def __init__(self, dtype: types.Float) -> None:
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Lanes) -> None:
        element = ir.FloatType() if kind.dtype == types.float32 else ir.DoubleType()
        super().__init__(manager, kind, ir.VectorType(element, LANES))


def _row(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    """Pointer to a row of an array whose rows are lanes, and the alignment that it surely has."""
    data = context.make_array(kind)(context, builder, array).data
    place = builder.gep(data, [builder.mul(row, row.type(LANES))])
    vector = context.get_value_type(Lanes(kind.dtype))
    return builder.bitcast(place, vector.as_pointer()), kind.dtype.bitwidth // 8


def _spread(context: Any, builder: Any, value: Any, kind: Any, wanted: Lanes) -> Any:
    """The lanes themselves, or a number in all of them."""
    if isinstance(kind, Lanes):
        return value
    number = context.cast(builder, value, kind, wanted.dtype)
    vector = context.get_value_type(wanted)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _lanes_of(*kinds: Any) -> Lanes | None:
    """The one type of lanes among types of which the others are numbers."""
    found = {kind for kind in kinds if isinstance(kind, Lanes)}
    others = all(isinstance(kind, Lanes | types.Number) for kind in kinds)
    return found.pop() if len(found) == 1 and others else None


@intrinsic
def load(typing: Any, array: Any, row: Any) -> Any:
    """A row of a C-contiguous array of LANES columns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, alignment = _row(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=alignment)

    return Lanes(array.dtype)(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, row: Any, lanes: Any) -> Any:
    """Put lanes, or a number in all lanes, into a row of an array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, alignment = _row(context, builder, signature.args[0], *arguments[:2])
        wanted = Lanes(signature.args[0].dtype)
        builder.store(_spread(context, builder, arguments[2], signature.args[2], wanted), pointer, align=alignment)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


def _operation(name: str, generate_one: Callable[..., Any], count: int) -> Any:
    """A function of so many lanes or numbers that gives lanes of the same type."""

    def describe(*kinds: Any) -> Any:
        wanted = _lanes_of(*kinds)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            spread = [
                _spread(context, builder, value, kind, wanted)
                for value, kind in zip(arguments, signature.args, strict=True)
            ]
            return generate_one(builder, *spread)

        return None if wanted is None else (wanted(*kinds), generate)

    # An intrinsic must name its arguments.
    shapes = {
        1: lambda typing, a: describe(a),
        2: lambda typing, a, b: describe(a, b),
        3: lambda typing, a, b, c: describe(a, b, c),
    }
    function = shapes[count]
    function.__name__ = function.__qualname__ = name
    return intrinsic(function)


def _standard(name: str) -> Callable[..., Any]:
    """One of LLVM's functions of one argument."""

    def generate(builder: Any, lanes: Any) -> Any:
        suffix = f"v{LANES}f{32 if lanes.type.element == ir.FloatType() else 64}"
        kind = ir.FunctionType(lanes.type, [lanes.type])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{suffix}"), [lanes])

    return generate


def _clamp(builder: Any, lanes: Any, lowest: Any, highest: Any) -> Any:
    raised = builder.select(builder.fcmp_ordered("<", lanes, lowest), lowest, lanes)
    return builder.select(builder.fcmp_ordered(">", raised, highest), highest, raised)


def _multiply_add(builder: Any, total: Any, lanes: Any, factor: Any) -> Any:
    # May be one rounding or two: sums are exact, so there is none.
    return builder.fadd(total, builder.fmul(lanes, factor, flags=["contract"]), flags=["contract"])


def _at_least(builder: Any, lanes: Any, threshold: Any) -> Any:
    return builder.uitofp(builder.fcmp_ordered(">=", lanes, threshold), lanes.type)


floor = _operation("floor", _standard("floor"), 1)
absolute = _operation("absolute", _standard("fabs"), 1)
clamp = _operation("clamp", _clamp, 3)
"""Numbers kept within the lowest and the highest."""
multiply_add = _operation("multiply_add", _multiply_add, 3)
"""A total and the product of two others; all of it has to be exact."""
at_least = _operation("at_least", _at_least, 2)
"""1 where lanes are at least a threshold, 0 elsewhere."""


def _converted(dtype: types.Float, instruction: str) -> Any:
    @intrinsic
    def converted(typing: Any, lanes: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(arguments[0], context.get_value_type(Lanes(dtype)))

        return Lanes(dtype)(lanes), generate

    return converted


widened = _converted(types.float64, "fpext")
narrowed = _converted(types.float32, "fptrunc")


def _overload(sign: Any, instruction: str) -> None:
    function = _operation(instruction, lambda builder, a, b: getattr(builder, instruction)(a, b), 2)

    @overload(sign, inline="never")
    def overloaded(a: Any, b: Any) -> Any:
        return None if _lanes_of(a, b) is None else lambda a, b: function(a, b)


for _sign, _instruction in ((operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul")):
    _overload(_sign, _instruction)
