"""Vectors for compiled loops: LANES numbers, one of each of so many voxels, that stay in a processor's registers.

Written by hand because a compiler finds few of them in loops over arrays, and keeps sums in memory there.

Compiled functions use ``+``, ``-`` and ``*`` on lanes, and the functions below; where one side is a number, it stands
for lanes that all hold it. Results do not depend on how wide the processor's own vectors are.
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

_INDEX = ir.IntType(64)


def _width() -> int:
    """Numbers in a register of single precision, or in two of narrow ones."""
    try:
        return 16 if get_host_cpu_features().get("avx512f", False) else 8
    except RuntimeError:
        # Raised where the processor's features cannot be told.
        return 8


LANES = _width()


class Lanes(types.Type):  # type: ignore[misc]
    """The type of a vector of float32 or float64."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"Lanes({dtype})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Lanes) -> None:
        element = ir.FloatType() if kind.dtype == types.float32 else ir.DoubleType()
        super().__init__(manager, kind, ir.VectorType(element, LANES))


def _spread(context: Any, builder: Any, value: Any, kind: Any, wanted: Lanes) -> Any:
    """Lanes as they are, a number in all lanes."""
    if isinstance(kind, Lanes):
        return value
    vector, number = context.get_value_type(wanted), context.cast(builder, value, kind, wanted.dtype)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, _INDEX(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))


def _data(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return context.make_array(kind)(context, builder, array).data


def _row(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> tuple[Any, int]:
    """Pointer to a row of an array, and the alignment that it surely has."""
    place = builder.gep(_data(context, builder, kind, array), [builder.mul(row, row.type(LANES))])
    vector = context.get_value_type(Lanes(kind.dtype))
    return builder.bitcast(place, vector.as_pointer()), kind.dtype.bitwidth // 8


def _load(typing: Any, array: Any, row: Any) -> Any:
    """A row of a C-contiguous array of LANES columns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer, alignment = _row(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=alignment)

    return Lanes(array.dtype)(array, types.intp), generate


def _store(typing: Any, array: Any, row: Any, lanes: Any) -> Any:
    """Put lanes, or a number for all of them, into a row of a C-contiguous array of LANES columns."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, _, given = signature.args
        pointer, alignment = _row(context, builder, kind, *arguments[:2])
        builder.store(_spread(context, builder, arguments[2], given, Lanes(kind.dtype)), pointer, align=alignment)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


def _look_up(typing: Any, table: Any, places: Any) -> Any:
    """The entries of a table at the places in lanes, which must be whole numbers within it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = _data(context, builder, signature.args[0], arguments[0])
        found = ir.Constant(context.get_value_type(signature.return_type), ir.Undefined)
        for lane in range(LANES):
            place = builder.fptosi(builder.extract_element(arguments[1], _INDEX(lane)), _INDEX)
            found = builder.insert_element(found, builder.load(builder.gep(data, [place])), _INDEX(lane))
        return found

    return Lanes(table.dtype)(table, places), generate


load, store, look_up = intrinsic(_load), intrinsic(_store), intrinsic(_look_up)


def _converted(dtype: Any, instruction: str) -> Any:
    def convert(typing: Any, lanes: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(arguments[0], context.get_value_type(Lanes(dtype)))

        return Lanes(dtype)(lanes), generate

    return intrinsic(convert)


widened, narrowed = _converted(types.float64, "fpext"), _converted(types.float32, "fptrunc")
"""float32 lanes as float64, and the other way round."""


def _lanes_of(*kinds: Any) -> Lanes | None:
    """The one type of lanes among arguments whose others are numbers; None if they are anything else."""
    found = {kind for kind in kinds if isinstance(kind, Lanes)}
    known = all(isinstance(kind, (Lanes, types.Number)) for kind in kinds)
    return found.pop() if len(found) == 1 and known else None


def _operation(count: int, make: Callable[..., Any]) -> Any:
    """A function of so many lanes or numbers that gives lanes of the same type; ``make`` builds it in LLVM."""

    def describe(*kinds: Any) -> Any:
        wanted = _lanes_of(*kinds)
        if wanted is None:
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pairs = zip(arguments, signature.args, strict=True)
            return make(builder, *(_spread(context, builder, value, kind, wanted) for value, kind in pairs))

        return wanted(*kinds), generate

    # Numba wants the arguments of a function by name.
    functions: dict[int, Callable[..., Any]] = {
        1: lambda typing, a: describe(a),
        2: lambda typing, a, b: describe(a, b),
        3: lambda typing, a, b, c: describe(a, b, c),
    }
    return intrinsic(functions[count])


def _standard(name: str) -> Callable[..., Any]:
    """A function of one argument that LLVM knows by name."""

    def make(builder: Any, lanes: Any) -> Any:
        kind = "f32" if lanes.type.element == ir.FloatType() else "f64"
        declared = ir.FunctionType(lanes.type, [lanes.type])
        function = cgutils.get_or_insert_function(builder.module, declared, f"llvm.{name}.v{LANES}{kind}")
        return builder.call(function, [lanes])

    return make


def _clamp(builder: Any, lanes: Any, lowest: Any, highest: Any) -> Any:
    raised = builder.select(builder.fcmp_ordered("<", lanes, lowest), lowest, lanes)
    return builder.select(builder.fcmp_ordered(">", raised, highest), highest, raised)


def _multiply_add(builder: Any, total: Any, lanes: Any, factor: Any) -> Any:
    return builder.fadd(total, builder.fmul(lanes, factor, flags=["contract"]), flags=["contract"])


def _at_least(builder: Any, lanes: Any, threshold: Any) -> Any:
    return builder.uitofp(builder.fcmp_ordered(">=", lanes, threshold), lanes.type)


floor, absolute = _operation(1, _standard("floor")), _operation(1, _standard("fabs"))
clamp = _operation(3, _clamp)
"""Lanes kept within a lowest and a highest."""
multiply_add = _operation(3, _multiply_add)
"""A total plus a product of two, rounded once or twice as suits the processor: for sums that are exact."""
at_least = _operation(2, _at_least)
"""1 where lanes are at least a threshold, else 0."""


def _define(sign: Any, instruction: str) -> None:
    function = _operation(2, lambda builder, a, b: getattr(builder, instruction)(a, b))
    overload(sign)(lambda a, b: None if _lanes_of(a, b) is None else lambda a, b: function(a, b))


for _sign, _instruction in (
    (operator.add, "fadd"),
    (operator.iadd, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
):
    _define(_sign, _instruction)
