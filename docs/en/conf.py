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
# One argument a line in a signature that is longer than this
maximum_signature_line_length = 75
python_use_unqualified_type_names = True
# Docstrings have Google's sections; types stand in the signatures alone.
napoleon_numpy_docstring = False
napoleon_include_init_with_doc = False


def leave_out(_app, _what, name, obj, skip, _options):  # noqa: PLR0913
    """Hooks have the same methods; a signature has a named tuple's fields."""
    when = name.startswith(('before_', 'after_'))
    return skip or when or str(obj.__doc__).startswith('Alias for field')


def setup(app):
    app.connect('autodoc-skip-member', leave_out)
