"""What a deploy changes of the site."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from loadgen.simulate.inputs import Deploy, Population, own_assets, resources

Ints = NDArray[np.int64]


class Change:
    """Numbers of new resources: by page, and among the assets that all pages share."""

    def __init__(self, deploy: Deploy, users: Population, random: Generator) -> None:
        self.at_s, self.count = deploy.at_s, deploy.resources
        chosen = random.choice(resources(users), deploy.resources, replace=False)
        own = 1 + own_assets(users)
        of_pages = chosen[chosen < users.pages * own]
        #: Whether each page is new, 0 or 1; how many of its assets are, shared ones among them.
        self.pages: Ints = np.zeros(users.pages, dtype=np.int64)
        self.pages[of_pages[of_pages % own == 0] // own] = 1
        assets = np.bincount(of_pages[of_pages % own != 0] // own, minlength=users.pages)
        self.shared = len(chosen) - len(of_pages)
        self.assets: Ints = assets + self.shared
