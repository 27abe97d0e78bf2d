"""Counts the multiply-adds of what runs.

Built on torch's `FlopCounterMode`, which sees every operator that runs. What
it leaves out is added here: fused attention on the CPU, in-place matrix
products (mmcv's deformable convolutions are made of them) and torchvision's
deformable convolution. An operator that does the work of a matrix product and
has no formula is an error, so that a total is never too low.
"""

import re
from collections.abc import Callable
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

Shape = tuple[int, ...]


class UncountedOperatorError(ValueError):
    """A costly operator ran, or would run, that has no formula."""


# FLOPs of operators by the shapes of their arguments. As torch does, they
# count a multiply-add twice.
def _attention_flops(q: Shape, k: Shape, v: Shape, *_: Any, **__: Any) -> int:
    # q k^T and the product with v, for every query, key and head
    return 2 * prod(q[:-1]) * k[-2] * (q[-1] + v[-1])


def _product_flops(_: Shape, a: Shape, b: Shape, *__: Any, **___: Any) -> int:
    # The first argument is what the product of the others is added to.
    return 2 * prod(a) * b[-1]


def _vector_product_flops(*shapes: Shape, **_: Any) -> int:
    # matrix times vector, vector times vector, or either one added to a term
    return 2 * prod(shapes[-2])


_FORMULAS: dict[str, Callable[..., int]] = {
    'aten._scaled_dot_product_flash_attention_for_cpu': _attention_flops,
    'aten._scaled_dot_product_fused_attention_overrideable': _attention_flops,
    'aten._addmm_activation': _product_flops,
    'aten.addmm_': _product_flops,
    'aten.baddbmm_': _product_flops,
    'aten.addbmm': _product_flops,
    'aten.addbmm_': _product_flops,
    'aten.mv': _vector_product_flops,
    'aten.addmv': _vector_product_flops,
    'aten.addmv_': _vector_product_flops,
    'aten.dot': _vector_product_flops,
    'aten.vdot': _vector_product_flops,
    'torchvision.deform_conv2d': (
        lambda x, weight, *_, out_shape: conv_flop_count(x, weight, out_shape)
    ),
}

# Words in the names of aten operators that do the work of a matrix product,
# those that torch may add later included.
_COSTLY = re.compile(
    '[a-z]*mm|[a-z]*mv|[a-z]*matmul|[a-z]*dot|[a-z]*linear|'
    r'conv(\dd|olution)?|attention|transformer|rnn|lstm|gru|'
    '[a-z]*dist'
)
_OWN_NAMESPACES = ('aten', 'prim', 'prims', 'profiler')
_CHEAP_FOREIGN = (
    *('torchvision.nms', 'torchvision.roi_align', 'torchvision.roi_pool'),
    *('torchvision.ps_roi_align', 'torchvision.ps_roi_pool'),
)


def _available_formulas() -> dict[Any, Callable[..., int]]:
    found = {}
    for name, formula in _FORMULAS.items():
        namespace, op = name.split('.')
        operator = getattr(getattr(torch.ops, namespace), op, None)
        # Not every version of torch has every operator.
        if operator is not None:
            found[operator] = formula
    return found


def _is_costly(name: str) -> bool:
    namespace, _, op = name.rpartition('.')
    if namespace not in _OWN_NAMESPACES:
        return name not in _CHEAP_FOREIGN
    return any(_COSTLY.fullmatch(part) for part in op.split('_'))


class MultiplyAddCounter(TorchDispatchMode):
    """Counts the multiply-adds of what runs inside of a `with` block.

    A backward pass is counted too: run the forward pass without gradients.

    Raises:
        UncountedOperatorError: At the end of the block, if an operator ran
            that does the work of a matrix product and has no formula.
    """

    def __init__(self) -> None:
        super().__init__()
        self._flops = FlopCounterMode(
            display=False, custom_mapping=_available_formulas()
        )
        self._uncounted: set[str] = set()
        self._fused_attention = F.scaled_dot_product_attention
        #: Multiply-adds of the products q k^T and a v of fused attention.
        self.attention = 0

    def _count_attention(
        self, query: Tensor, key: Tensor, value: Tensor, *args, **kwargs
    ) -> Tensor:
        shapes = query.shape, key.shape, value.shape
        self.attention += _attention_flops(*shapes) // 2
        return self._fused_attention(query, key, value, *args, **kwargs)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple = (), kwargs: Any = None
    ) -> Any:
        packet = getattr(func, 'overloadpacket', func)
        if packet not in self._flops.flop_registry and _is_costly(str(packet)):
            self._uncounted.add(str(packet))
        return func(*args, **(kwargs or {}))

    def __enter__(self) -> 'MultiplyAddCounter':
        # In evaluation mode torch may run a whole attention layer as one
        # operator, which hides its products.
        self._fastpath = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        # The operators do not show which products belong to attention: with
        # a bias torch may run plain matrix products.
        F.scaled_dot_product_attention = self._count_attention
        # The mode that is entered last is asked first. It decomposes composite
        # operators, so that the other one sees what really runs.
        super().__enter__()
        self._flops.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._flops.__exit__(*error)
        super().__exit__(*error)
        F.scaled_dot_product_attention = self._fused_attention
        torch.backends.mha.set_fastpath_enabled(self._fastpath)
        if error[0] is None and self._uncounted:
            names = ', '.join(sorted(self._uncounted))
            raise UncountedOperatorError(
                f'cannot count: these operators have no formula: {names}. Add '
                f'one to _FORMULAS in {__name__}'
            )

    @property
    def total(self) -> int:
        """Multiply-adds of everything that ran."""
        return self._flops.get_total_flops() // 2

    def of_part(self, part: nn.Module, name: str) -> int:
        """Multiply-adds of a part that ran, by its path: PVT.stages.0."""
        counts = self._flops.get_flop_counts()
        if name in counts:
            return sum(counts[name].values()) // 2
        # mmdet's RoI heads are not called themselves: only their children
        # have counts.
        return sum(
            self.of_part(child, f'{name}.{child_name}')
            for child_name, child in part.named_children()
        )
