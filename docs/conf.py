"""Sphinx: Markdown pages, the API from docstrings."""

import compoundnet

project = "compoundnet"
author = "the compoundnet authors"
version = release = compoundnet.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"compoundnet {release}"
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
myst_heading_anchors = 3
