"""Names of published weights, a family a file."""

from . import focal, hlg, pvt, scalablevit, setr

# `convert` takes a published state dict and returns the state dict of the
# family's ImageNet classifier (for SETR, of its segmentors).
FAMILIES = {
    'focal': focal.convert,
    'hlg': hlg.convert,
    'pvt': pvt.convert,
    'scalablevit': scalablevit.convert,
    'setr': setr.convert,
}

__all__ = ['FAMILIES']
