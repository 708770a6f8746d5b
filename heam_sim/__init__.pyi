# SPDX-License-Identifier: MIT
# What `import heam_sim` offers: read by type checkers, and at run time by __init__.py.
from ._version import __version__ as __version__
from .datasets import generate as generate
from .datasets import read_dataset as read_dataset
from .datasets import workload as workload
from .embedding import PQ as PQ
from .embedding import QR as QR
from .embedding import Full as Full
from .errors import HeamSimError as HeamSimError
from .experiments import sweep as sweep
from .results import Result as Result
from .results import ResultSet as ResultSet
from .simulation import simulate as simulate
from .systems import known_systems as known_systems
from .systems import load_system as load_system
from .timelines import timeline as timeline
from .trace import LookupTrace as LookupTrace
from .traffic import ReplayResult as ReplayResult
from .traffic import replay as replay
