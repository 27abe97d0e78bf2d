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

extensions = [
    'myst_parser',
    'sphinx.ext.autodoc',
    'sphinx.ext.napoleon',
    'sphinx_copybutton',
    'sphinx_design',
]
exclude_patterns = ['_build']
myst_enable_extensions = ['colon_fence']
myst_heading_anchors = 4
html_theme = 'furo'
html_title = f'MMViT {release}'
html_static_path = ['_static']
html_css_files = ['mmvit.css']
# A prompt or a comment is not copied with a command.
copybutton_prompt_text = '$ '

autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
# What a library's method does is in the library's own documentation.
autodoc_inherit_docstrings = False
# Names between backticks in docstrings are code, and links where they can be.
default_role = 'py:obj'
# Two hyphens begin an option; they are not a dash.
smartquotes_action = 'qe'
# One argument a line in a signature that is longer than this
maximum_signature_line_length = 60
python_use_unqualified_type_names = True
# Docstrings have Google's sections; types stand in the signatures alone.
napoleon_numpy_docstring = False
napoleon_include_init_with_doc = False


def leave_out_fields(_app, _what, _name, obj, skip, _options):  # noqa: PLR0913
    """A named tuple's fields are in its signature."""
    return skip or str(obj.__doc__).startswith('Alias for field')


def setup(app):
    app.connect('autodoc-skip-member', leave_out_fields)
