# SPDX-License-Identifier: Apache-2.0
"""Random numbers, the same for a seed on every machine."""
from ._core import Generator  # noqa: F401
