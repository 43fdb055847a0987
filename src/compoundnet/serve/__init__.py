"""A server for one model: pictures in, classes and overlays out, over HTTP.

Needs the extra ``serve``. ``compoundnet serve`` is its command; nothing here is imported before that runs.
"""
