#!/usr/bin/env python3
"""Prints the firing rates against the currents as a table, and draws them as a curve.

Reads `rate.json` in every folder `soma-*` beside the working directory, and writes `f-i-curve.png` there.
"""

import json
from pathlib import Path

from matplotlib import pyplot

HERTZ_PER_BLOCK = 4

measurements = sorted(
    (json.loads(path.read_text()) for path in Path.cwd().parent.glob("soma-*/rate.json")),
    key=lambda measurement: measurement["current_nA"],
)

print("current/nA  spikes    rate/Hz")
for measurement in measurements:
    current, spikes, rate = (measurement[name] for name in ("current_nA", "spikes", "firing_rate_Hz"))
    print(f"{current:10.2f}  {spikes:6d}  {rate:9.1f}  {'█' * round(rate / HERTZ_PER_BLOCK)}".rstrip())

figure, axes = pyplot.subplots(figsize=(6.4, 4), layout="constrained")
axes.plot(
    [measurement["current_nA"] for measurement in measurements],
    [measurement["firing_rate_Hz"] for measurement in measurements],
    marker="o",
)
axes.set(
    xlabel="injected current / nA",
    ylabel="firing rate / Hz",
    title="f–I curve of a Hodgkin–Huxley soma (20 µm, 6.3 °C)",
)
axes.set_ylim(bottom=0)
axes.grid(alpha=0.3)
figure.savefig("f-i-curve.png", dpi=150)
