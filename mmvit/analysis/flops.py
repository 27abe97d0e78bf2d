"""Parameters and multiply-adds of any model of any task."""

import copy
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from mmengine.model import BaseModel
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from .multiply_adds import MultiplyAddCounter, UncountedOperatorError

COUNTING_RULE = (
    'one multiply-add is one FLOP; convolutions, linear layers and matrix '
    'products are counted, those of attention included; normalisation, '
    'activations, softmax, pooling, interpolation, sampling, RoIAlign and NMS '
    'are not; one image in evaluation mode'
)
# Operators of mmcv that multiply with weights in a kernel of their own.
_OPAQUE_MODULES = {'CARAFE', 'CARAFENaive', 'CARAFEPack', 'Correlation'}


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
        attention_flops: The share of `flops` in the products q k^T and a v
            of attention, which some papers leave out. Only calls of torch's
            fused attention are seen; MMViT's models use it everywhere.
        parts: Parameters and multiply-adds of each direct child; 'other' is
            what belongs to none of them.
        proposals: Boxes that the box head of a two-stage detector got.
        masks: Boxes that the mask head got.
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


def count_params(model: nn.Module) -> int:
    """Count parameters, trainable or not, a shared one once."""
    return sum(p.numel() for p in model.parameters())


def count_complexity(
    model: nn.Module, shape: tuple[int, int], in_channels: int = 3
) -> Complexity:
    """Count parameters and multiply-adds of a model of any task.

    A copy of the model runs on the meta device, where nothing is computed.
    A model that needs values, such as a two-stage detector, which pools from
    its proposals, runs where its weights are.

    Args:
        model: A classifier, detector or segmentor, which is counted without
            its post-processing, or a module of one image, such as a backbone.
        shape: (H, W) of the input.
        in_channels: Channels of the input.

    Raises:
        UncountedOperatorError: If the model runs something costly that cannot
            be counted.
    """
    kinds = {type(module) for module in model.modules()}
    mmcvs = {k.__name__ for k in kinds if k.__module__.startswith('mmcv.')}
    if opaque := ', '.join(sorted(mmcvs & _OPAQUE_MODULES)):
        raise UncountedOperatorError(
            f"cannot count: the products inside of mmcv's {opaque} cannot be "
            'seen'
        )
    try:
        return _count(model, shape, in_channels, 'meta')
    except UncountedOperatorError:
        raise
    except Exception:
        # The model needs values. Any other error will occur again below.
        device = next((str(p.device) for p in model.parameters()), 'cpu')
    return _count(model, shape, in_channels, device)


def _count(
    model: nn.Module, shape: tuple[int, int], channels: int, device: str
) -> Complexity:
    # On the meta device parameters are no longer shared: those of the model
    # are counted, not the copy's.
    copied = copy.deepcopy(model).to(device)
    # The counter fails on views of parameters that require a gradient.
    copied.requires_grad_(False)
    # Not chained: some libraries' eval() returns None.
    copied.eval()
    proposals, masks = _fix_regions(copied, shape)
    image = torch.zeros(1, channels, *shape, device=device)
    with torch.no_grad(), MultiplyAddCounter() as counter:
        if isinstance(copied, BaseModel):
            names = 'img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'
            sizes = dict.fromkeys(names, tuple(shape))
            meta = dict(sizes, scale_factor=(1.0, 1.0), flip=False)
            copied(image, [BaseDataElement(metainfo=meta)], mode='tensor')
        else:
            copied(image)
    return Complexity(
        shape=tuple(shape),
        params=count_params(model),
        flops=counter.total,
        attention_flops=counter.attention,
        parts=_parts(model, counter),
        proposals=proposals,
        masks=masks,
        device=image.device.type,
    )


def _parts(model: nn.Module, counter: MultiplyAddCounter) -> dict[str, Part]:
    parts = {}
    seen: set[Tensor] = set()
    for name, child in model.named_children():
        path = f'{type(model).__name__}.{name}'
        own = set(child.parameters()) - seen
        seen |= own
        params = sum(p.numel() for p in own)
        parts[name] = Part(params, counter.of_part(child, path))
    parts['other'] = Part(
        count_params(model) - sum(part.params for part in parts.values()),
        counter.total - sum(part.flops for part in parts.values()),
    )
    return {k: part for k, part in parts.items() if part.params or part.flops}


def _fix_regions(
    model: nn.Module, shape: tuple[int, int]
) -> tuple[int | None, int | None]:
    """Give the heads of a two-stage detector as many boxes as allowed.

    How many boxes NMS keeps depends on the weights; a detector's cost should
    not. Returns the numbers of proposals and of masks, None where there is no
    such head.
    """
    test_cfg = getattr(model, 'test_cfg', None) or {}
    proposals = masks = None
    rpn_head = getattr(model, 'rpn_head', None)
    if rpn_head is not None:
        proposals = (test_cfg.get('rpn') or {}).get('max_per_img')
    if proposals is not None:
        rpn_head.predict = partial(
            _predict_fixed, rpn_head.predict, proposals, shape
        )
    roi_head = getattr(model, 'roi_head', None)
    if getattr(roi_head, 'with_mask', False):
        masks = (test_cfg.get('rcnn') or {}).get('max_per_img')
    if masks is not None:
        masks = min(masks, proposals or masks)
        roi_head._mask_forward = partial(
            _forward_fewer, roi_head._mask_forward, masks
        )
    return proposals, masks


def _predict_fixed(
    predict: Callable, count: int, shape: tuple[int, int], *args, **kwargs
) -> list[InstanceData]:
    (found,) = predict(*args, **kwargs)
    box = found.bboxes.new_tensor([[0, 0, *shape[::-1]]])
    boxes, scores = box.repeat(count, 1), box.new_ones(count)
    labels = box.new_zeros(count, dtype=torch.long)
    return [InstanceData(bboxes=boxes, scores=scores, labels=labels)]


def _forward_fewer(forward: Callable, count: int, *args, **kwargs) -> dict:
    """Let a mask head run on as many boxes as a prediction has at most.

    With mode='tensor', mmdet's cascades run their mask heads on every
    proposal, while its Mask R-CNN takes the first 100.
    """
    bound = inspect.signature(forward).bind(*args, **kwargs)
    rois = bound.arguments['rois']
    bound.arguments['rois'] = rois[:count]
    results = forward(*bound.args, **bound.kwargs)
    # The caller splits the masks by proposals, so repeat them.
    index = torch.arange(len(rois), device=rois.device) % count
    results['mask_preds'] = tree_map(
        lambda masks: masks[index], results['mask_preds']
    )
    return results
