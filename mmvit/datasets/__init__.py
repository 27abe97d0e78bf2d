"""Data transforms."""

from .token_labels import CropWithTokenLabels, LoadTokenLabels

__all__ = ['CropWithTokenLabels', 'LoadTokenLabels']
