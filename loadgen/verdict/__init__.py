"""What a run came to: from counts, histograms and what happened to a verdict with all its reasons (sans-IO).

* ``thresholds.py``: what may be compared, and how a threshold is written;
* ``latencies.py``: percentiles over answered and failed requests: a failure is slower than every answer;
* ``vouching.py``: whether the generator's own lag can account for how a threshold came out;
* ``herd.py``: how evenly nodes were asked, in windows; the same for real and for simulated clusters;
* ``events.py``: whether what was to happen did, and had its effect;
* ``deciding.py``: the verdict: wrong answers before lateness, and nothing said in silence.
"""
