"""Merging of the predictions for several views of an image."""

from .instance_tta import InstanceTTAModel

__all__ = ['InstanceTTAModel']
