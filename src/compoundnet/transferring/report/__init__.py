"""The report of a transfer: one HTML file that needs nothing else, and its figures as JSON."""

from .figures import figures as figures
from .page import page as page
