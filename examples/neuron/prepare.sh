#!/bin/bash
# Installs NEURON and matplotlib into the home that all nodes share, and a module that leads there.
# Environment: NEURON_VERSION. Clusters have no way to the Internet: the wheels lie in /opt/wheels.
set -euo pipefail

software=$HOME/software/neuron-$NEURON_VERSION
python3 -m venv "$software"
"$software/bin/pip" install --disable-pip-version-check --no-compile --no-index --find-links /opt/wheels \
  "neuron==$NEURON_VERSION" matplotlib

# Where the module `use.own` of Environment Modules makes everybody look for modules of their own.
mkdir -p ~/privatemodules/neuron
cat >~/privatemodules/neuron/"$NEURON_VERSION" <<MODULE
#%Module
module-whatis {NEURON $NEURON_VERSION with matplotlib}
prepend-path PATH $software/bin
setenv MPLBACKEND agg
MODULE

"$software/bin/python" -c 'import neuron; print("NEURON", neuron.__version__, "is ready")'
