"""The distribution of think times, as scenarios and simulations name it."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class Think(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Think time: seconds between page views of a session."""

    #: Their distribution.
    kind: Literal["weibull", "lognormal", "exponential", "constant"] = "weibull"
    #: On average.
    mean_s: Annotated[float, Meta(gt=0, le=1e9)] = 20.0
    #: Weibull's k: below 1, many short ones and a few very long ones (Liu, White, Dumais: 0.6 to 0.8).
    shape: Annotated[float, Meta(ge=0.1, le=10)] = 0.8
    #: Lognormal's standard deviation of the logarithm.
    sigma: Annotated[float, Meta(gt=0, le=10)] = 1.0
