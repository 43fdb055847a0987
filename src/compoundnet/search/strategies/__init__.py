"""Strategies: which network to try next. One interface, one budget of trials."""

from .protocol import Strategy as Strategy
