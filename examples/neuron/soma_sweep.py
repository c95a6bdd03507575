#!/usr/bin/env python3
"""Fires a Hodgkin-Huxley soma with a constant current: current, spikes and firing rate as one line of JSON.

Environment: CURRENT_NA, the injected current in nanoamperes. The line is printed, and written to `rate.json`.

The membrane is that of the squid axon (Hodgkin & Huxley 1952, NEURON's `hh`, 6.3 degrees Celsius). It is a resonator
(class 2 excitability): well below 2 uA/cm2 it is silent, from there on it answers the onset of the current with one
spike, and above about 6.2 uA/cm2 it fires for as long as the current lasts, at once with about 50 Hz and faster with
more current. So spikes are counted all along, but the rate only after the onset.
"""

import json
import os
from pathlib import Path

from neuron import n

DELAY_MS = 100
SETTLED_MS = 200  # after the onset; what is left of the first spike's transient has died down by then
DURATION_MS = 1200
THRESHOLD_MV = 0

n.load_file("stdrun.hoc")


def soma_sweep(current_na: float) -> dict[str, float]:
    soma = n.Section(name="soma")
    # A sphere's surface: 20 um across, 1257 um2, so that 0.1 nA are 8 uA/cm2.
    soma.L = soma.diam = 20
    soma.insert("hh")

    electrode = n.IClamp(soma(0.5))
    electrode.delay, electrode.dur, electrode.amp = DELAY_MS, DURATION_MS, current_na

    spike_times = n.Vector()
    detector = n.NetCon(soma(0.5)._ref_v, None, sec=soma)
    detector.threshold = THRESHOLD_MV
    detector.record(spike_times)

    n.celsius = 6.3
    n.dt = 0.025
    n.finitialize(-65)
    n.continuerun(DELAY_MS + DURATION_MS)

    settled = [t for t in spike_times if t >= DELAY_MS + SETTLED_MS]
    # From the first to the last spike: counting in a window would be off by up to one spike per second.
    rate_hz = 1000 * (len(settled) - 1) / (settled[-1] - settled[0]) if len(settled) > 1 else 0.0
    return {"current_nA": current_na, "spikes": len(spike_times), "firing_rate_Hz": round(rate_hz, 1)}


line = json.dumps(soma_sweep(float(os.environ["CURRENT_NA"])))
Path("rate.json").write_text(line)
print(line)
