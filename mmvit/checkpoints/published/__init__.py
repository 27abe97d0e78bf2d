"""Names of published weights, a family a file.

Each file has a function `convert`. It takes a published state dict, and
returns the state dict of the family's ImageNet classifier (for SETR, of its
segmentors) and the published names that it does not know.
"""

from . import focal, hlg, pvt, scalablevit, setr

FAMILIES = {
    'focal': focal.convert,
    'hlg': hlg.convert,
    'pvt': pvt.convert,
    'scalablevit': scalablevit.convert,
    'setr': setr.convert,
}

__all__ = ['FAMILIES']
