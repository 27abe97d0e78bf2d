"""Parameters and multiply-adds of any model of any task.

Built on torch's `FlopCounterMode`, which sees every operator that runs. What
it would leave out is added here: fused attention as the CPU runs it,
in-place matrix products (mmcv's deformable convolutions are made of them) and
torchvision's deformable convolution. An operator that does the work of a
matrix product and has no formula is an error, never a total that is too low.
"""

import copy
import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
import torchvision  # noqa: F401  (registers torch.ops.torchvision)
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map
from torch.utils.flop_counter import FlopCounterMode, conv_flop_count

COUNTING_RULE = (
    'one multiply-add is one FLOP; convolutions, linear layers and matrix '
    'products are counted, those of attention included; normalisation, '
    'activations, softmax, pooling, interpolation, sampling, RoIAlign and NMS '
    'are not; one image in evaluation mode'
)

Shape = tuple[int, ...]


class UncountedOperatorError(ValueError):
    """Something costly ran, or would run, that there is no formula for."""


@dataclass(frozen=True)
class Part:
    """Parameters and multiply-adds of one part of a model."""

    params: int
    flops: int


@dataclass(frozen=True)
class Complexity:
    """What `count_complexity` found.

    Attributes:
        shape: (H, W) of the input.
        params: Parameters of the whole model, a shared one counted once.
        flops: Multiply-adds of the whole model.
        attention_flops: Those of them that are the products q k^T and a v of
            attention, which some papers leave out; seen where a network
            calls torch's fused attention, as ours do.
        parts: The same for each direct child; 'other' holds what runs in
            none of them.
        proposals: Boxes that the box head was given, for two-stage detectors.
        masks: Boxes that the mask head was given.
        device: 'meta' if no value was computed, else where the model ran.
    """

    shape: tuple[int, int]
    params: int
    flops: int
    attention_flops: int
    parts: dict[str, Part]
    proposals: int | None
    masks: int | None
    device: str


def _attention_flops(q: Shape, k: Shape, v: Shape, *_: Any, **__: Any) -> int:
    # q k^T and the product with v, for every query, key and head
    return 2 * prod(q[:-1]) * k[-2] * (q[-1] + v[-1])


def _added_product_flops(
    _: Shape, a: Shape, b: Shape, *__: Any, **___: Any
) -> int:
    return 2 * prod(a) * b[-1]


def _vector_product_flops(a: Shape, *_: Any, **__: Any) -> int:
    return 2 * prod(a)


def _added_vector_product_flops(
    _: Shape, a: Shape, *__: Any, **___: Any
) -> int:
    return 2 * prod(a)


def _deform_conv_flops(
    x: Shape, weight: Shape, *_: Any, out_shape: Shape, **__: Any
) -> int:
    return conv_flop_count(x, weight, out_shape)


_FORMULAS: dict[str, Callable[..., int]] = {
    'aten._scaled_dot_product_flash_attention_for_cpu': _attention_flops,
    'aten._scaled_dot_product_fused_attention_overrideable': _attention_flops,
    'aten._addmm_activation': _added_product_flops,
    'aten.addmm_': _added_product_flops,
    'aten.baddbmm_': _added_product_flops,
    'aten.addbmm': _added_product_flops,
    'aten.addbmm_': _added_product_flops,
    'aten.mv': _vector_product_flops,
    'aten.addmv': _added_vector_product_flops,
    'aten.addmv_': _added_vector_product_flops,
    'aten.dot': _vector_product_flops,
    'aten.vdot': _vector_product_flops,
    'torchvision.deform_conv2d': _deform_conv_flops,
}

# A part of an aten operator's name that tells a matrix product; operators
# that torch adds later are caught by it as well.
_COSTLY = re.compile(
    '[a-z]*mm|[a-z]*mv|[a-z]*matmul|[a-z]*dot|[a-z]*linear|'
    r'conv(\dd|olution)?|attention|transformer|rnn|lstm|gru|'
    '[a-z]*dist'
)
_OWN_NAMESPACES = ('aten', 'prim', 'prims', 'profiler')
_CHEAP_FOREIGN = (
    'torchvision.nms',
    'torchvision.roi_align',
    'torchvision.roi_pool',
    'torchvision.ps_roi_align',
    'torchvision.ps_roi_pool',
)
# Operators of mmcv that multiply with weights in a kernel of their own.
_OPAQUE_MODULES = ('CARAFE', 'CARAFENaive', 'CARAFEPack', 'Correlation')


def _packets() -> dict[Any, Callable[..., int]]:
    found = {}
    for name, formula in _FORMULAS.items():
        namespace, op = name.split('.')
        # Not every version of torch has every operator.
        if hasattr(getattr(torch.ops, namespace), op):
            found[getattr(getattr(torch.ops, namespace), op)] = formula
    return found


class _Watch(TorchDispatchMode):
    """Notes the costly operators that the counter has no formula for."""

    def __init__(self, counted: set[Any]) -> None:
        super().__init__()
        self.counted = counted
        self.uncounted: Counter[str] = Counter()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple = (),
        kwargs: dict | None = None,
    ) -> Any:
        packet = getattr(func, 'overloadpacket', func)
        name = str(packet)
        if packet not in self.counted and _is_costly(name):
            self.uncounted[name] += 1
        return func(*args, **(kwargs or {}))


def _is_costly(name: str) -> bool:
    namespace, _, op = name.rpartition('.')
    if namespace not in _OWN_NAMESPACES:
        return name not in _CHEAP_FOREIGN
    return any(_COSTLY.fullmatch(part) for part in op.split('_'))


class MultiplyAddCounter:
    """Counts the multiply-adds of what runs inside a `with` block.

    Multiply-adds of the backward pass would be counted too: run a forward
    pass without gradients.

    Raises:
        UncountedOperatorError: On leaving the block, if an operator ran that
            does the work of a matrix product and has no formula.

    Example:
        >>> with MultiplyAddCounter() as counter, torch.no_grad():
        ...     model(image)
        >>> counter.total
    """

    def __init__(self) -> None:
        self._flops = FlopCounterMode(display=False, custom_mapping=_packets())
        self._watch = _Watch(set(self._flops.flop_registry))
        self._fused_attention = F.scaled_dot_product_attention
        #: Multiply-adds of the products q k^T and a v of fused attention.
        self.attention = 0

    def _noted_attention(
        self, query: Tensor, key: Tensor, value: Tensor, *args, **kwargs
    ) -> Tensor:
        shapes = query.shape, key.shape, value.shape
        self.attention += _attention_flops(*shapes) // 2
        return self._fused_attention(query, key, value, *args, **kwargs)

    def __enter__(self) -> 'MultiplyAddCounter':
        # In evaluation a whole attention layer may become one operator that
        # cannot be looked into.
        self._fastpath = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        # Operators do not tell: a bias may make torch take plain products.
        F.scaled_dot_product_attention = self._noted_attention
        # The one entered last is asked first and breaks composite operators
        # up, so that the other sees what really runs.
        self._watch.__enter__()
        self._flops.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._flops.__exit__(*error)
        self._watch.__exit__(*error)
        F.scaled_dot_product_attention = self._fused_attention
        torch.backends.mha.set_fastpath_enabled(self._fastpath)
        if error[0] is None and self._watch.uncounted:
            raise UncountedOperatorError(
                'no total, since the multiply-adds of these operators are not '
                'known: '
                + ', '.join(
                    f'{name} ({times} times)'
                    for name, times in self._watch.uncounted.items()
                )
                + '. Add a formula to _FORMULAS in mmvit/utils/flops.py'
            )

    @property
    def total(self) -> int:
        """Multiply-adds of everything that ran."""
        return self._flops.get_total_flops() // 2

    def of_child(self, model: nn.Module, name: str) -> int:
        """Multiply-adds of a direct child of the model that ran.

        Args:
            model: What was called inside the block.
            name: The child's name.
        """
        counts = self._flops.get_flop_counts()
        return self._sum(
            getattr(model, name), f'{type(model).__name__}.{name}', counts
        )

    def _sum(
        self, module: nn.Module, name: str, counts: dict[str, dict[Any, int]]
    ) -> int:
        if name in counts:
            return sum(counts[name].values()) // 2
        # A module whose forward was called as a method leaves no trace of
        # its own, its children do: mmdet's RoI heads.
        return sum(
            self._sum(child, f'{name}.{child_name}', counts)
            for child_name, child in module.named_children()
        )


def count_params(model: nn.Module) -> int:
    """Count parameters, trainable or not; a shared one counts once."""
    return sum(p.numel() for p in model.parameters())


def count_complexity(
    model: nn.Module, shape: tuple[int, int], in_channels: int = 3
) -> Complexity:
    """Count parameters and multiply-adds of a model of any task.

    Nothing is computed where the network can be followed by shapes alone (a
    copy on the meta device); a network that needs values, as a two-stage
    detector does to pool from its proposals, runs where its weights are.

    Args:
        model: A classifier, detector or segmentor, of which everything but
            the post-processing is counted, or any module that takes one
            image, such as a backbone.
        shape: (H, W) of the input.
        in_channels: Channels of the input.

    Raises:
        UncountedOperatorError: If the total would leave something costly
            out.
    """
    opaque = sorted(
        {
            type(module).__name__
            for module in model.modules()
            if type(module).__name__ in _OPAQUE_MODULES
            and type(module).__module__.startswith('mmcv.')
        }
    )
    if opaque:
        raise UncountedOperatorError(
            "no total, since the multiply-adds of mmcv's "
            f'{", ".join(opaque)} cannot be seen'
        )
    device = next((p.device for p in model.parameters()), torch.device('cpu'))
    if device.type != 'meta':
        try:
            return _count(
                model,
                copy.deepcopy(model).to('meta'),
                shape,
                in_channels,
                torch.device('meta'),
            )
        except UncountedOperatorError:
            raise
        except Exception:
            # It needs values. Whatever else is wrong shows again with them.
            pass
    return _count(model, model, shape, in_channels, device)


def _count(
    model: nn.Module,
    runs: nn.Module,
    shape: tuple[int, int],
    in_channels: int,
    device: torch.device,
) -> Complexity:
    # What runs may be a copy, in which shared parameters are no longer shared.
    image = torch.zeros(1, in_channels, *shape, device=device)
    was_training = runs.training
    trainable = [p for p in runs.parameters() if p.requires_grad]
    # The counter cannot follow a view of a parameter that wants a gradient.
    runs.requires_grad_(False)
    # Not chained: some libraries' eval() returns None.
    runs.eval()
    try:
        with (
            _fixed_regions(runs, shape) as (proposals, masks),
            torch.no_grad(),
            MultiplyAddCounter() as counter,
        ):
            if isinstance(runs, BaseModel):
                runs(image, [_data_sample(shape)], mode='tensor')
            else:
                runs(image)
    finally:
        runs.train(was_training)
        for parameter in trainable:
            parameter.requires_grad_(True)
    return Complexity(
        shape=tuple(shape),
        params=count_params(model),
        flops=counter.total,
        attention_flops=counter.attention,
        parts=_parts(model, counter),
        proposals=proposals,
        masks=masks,
        device=device.type,
    )


def _data_sample(shape: tuple[int, int]) -> BaseDataElement:
    return BaseDataElement(
        metainfo=dict(
            img_shape=tuple(shape),
            ori_shape=tuple(shape),
            pad_shape=tuple(shape),
            batch_input_shape=tuple(shape),
            scale_factor=(1.0, 1.0),
            flip=False,
        )
    )


def _parts(model: nn.Module, counter: MultiplyAddCounter) -> dict[str, Part]:
    parts = {}
    seen: set[Tensor] = set()
    for name, child in model.named_children():
        own = set(child.parameters()) - seen
        seen |= own
        part = Part(sum(p.numel() for p in own), counter.of_child(model, name))
        if part.params or part.flops:
            parts[name] = part
    rest = Part(
        count_params(model) - sum(part.params for part in parts.values()),
        counter.total - sum(part.flops for part in parts.values()),
    )
    if rest.params or rest.flops:
        parts['other'] = rest
    return parts


@contextmanager
def _fixed_regions(
    model: nn.Module, shape: tuple[int, int]
) -> Iterator[tuple[int | None, int | None]]:
    """Give the heads of a two-stage detector as much as its config allows.

    How many boxes NMS leaves depends on the weights; the cost of a detector
    should not. Yields the number of proposals and of masks, None where there
    is no such head.
    """
    test_cfg = getattr(model, 'test_cfg', None) or {}
    proposals = (test_cfg.get('rpn') or {}).get('max_per_img')
    masks = (test_cfg.get('rcnn') or {}).get('max_per_img')
    rpn_head = getattr(model, 'rpn_head', None)
    roi_head = getattr(model, 'roi_head', None)
    if rpn_head is None or proposals is None:
        proposals = None
    else:
        rpn_head.predict = _with_fixed_count(
            rpn_head.predict, proposals, shape
        )
    if not getattr(roi_head, 'with_mask', False):
        masks = None
    elif masks is not None:
        masks = min(masks, proposals or masks)
        roi_head._mask_forward = _with_fewer_rois(
            roi_head._mask_forward, masks
        )
    try:
        yield proposals, masks
    finally:
        if proposals is not None:
            del rpn_head.predict
        if masks is not None:
            del roi_head._mask_forward


def _with_fixed_count(
    predict: Callable[..., list[InstanceData]],
    count: int,
    shape: tuple[int, int],
) -> Callable[..., list[InstanceData]]:
    def predict_fixed(*args: Any, **kwargs: Any) -> list[InstanceData]:
        found = predict(*args, **kwargs)
        height, width = shape
        bboxes = found[0].bboxes.new_tensor([[0, 0, width, height]])
        return [
            InstanceData(
                bboxes=bboxes.repeat(count, 1),
                scores=bboxes.new_ones(count),
                labels=bboxes.new_zeros(count, dtype=torch.long),
            )
        ]

    return predict_fixed


def _with_fewer_rois(forward: Callable[..., dict], count: int) -> Callable:
    """Compute the masks of as many boxes as are left in the end.

    Asked for plain outputs, mmdet's cascades run their mask heads on every
    proposal, where its Mask R-CNN takes the first 100.
    """
    signature = inspect.signature(forward)

    def forward_fewer(*args: Any, **kwargs: Any) -> dict:
        bound = signature.bind(*args, **kwargs)
        rois = bound.arguments['rois']
        bound.arguments['rois'] = rois[:count]
        results = forward(*bound.args, **bound.kwargs)
        # The caller splits the masks by proposals: repeat them.
        index = torch.arange(len(rois), device=rois.device) % count
        results['mask_preds'] = tree_map(
            lambda masks: masks[index], results['mask_preds']
        )
        return results

    return forward_fewer
