"""Merging of the predictions for several views of an image."""

from importlib.util import find_spec

__all__ = []

if find_spec('mmdet') is not None:
    from .instance_tta import InstanceTTAModel  # noqa: F401

    __all__ += ['InstanceTTAModel']

if find_spec('mmseg') is not None:
    from .segmentation_tta import SegmentationTTAModel  # noqa: F401

    __all__ += ['SegmentationTTAModel']
