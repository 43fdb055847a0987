"""Zero-cost proxies: what is said of a network without training it, and how little of it goes beyond plain counts.

They are features that a predictor may use and a rating may judge, never what a search raises.
"""

from .batches import Batch as Batch
from .batches import noise as noise
from .features import feature_gains as feature_gains
from .features import with_proxies as with_proxies
from .naswot import naswot as naswot
from .rating import ProxyRating as ProxyRating
from .rating import RatedProxies as RatedProxies
from .rating import rate_proxies as rate_proxies
from .scoring import COUNTS as COUNTS
from .scoring import PROXIES as PROXIES
from .scoring import counts as counts
from .scoring import proxies as proxies
from .synflow import synflow as synflow
from .zico import zico as zico
