"""Pictures of a front: still ones by matplotlib, interactive ones by plotly; both are in the extra ``report``."""

from .chart import Chart as Chart
from .chart import Line as Line
from .files import SUFFIXES as SUFFIXES
from .files import picture as picture
