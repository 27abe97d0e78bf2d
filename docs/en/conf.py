"""Sphinx's settings; nothing is fetched from the network.

python -m sphinx -W -b html docs/en docs/en/_build
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from mmvit import __version__  # noqa: E402

project = 'MMViT'
copyright = '2026, the MMViT authors'  # noqa: A001
author = 'the MMViT authors'
release = __version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = ['_build']
myst_heading_anchors = 3
html_theme = 'alabaster'
html_theme_options = {
    'description': 'Vision-transformer backbones for dense prediction',
    'page_width': '1100px',
}

autodoc_member_order = 'bysource'
# Docstrings have Google's sections; types stand in the signatures alone.
napoleon_numpy_docstring = False
napoleon_include_init_with_doc = False
