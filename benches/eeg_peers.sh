#!/usr/bin/env bash
# A virtual environment with MNE and Keras for the bench `eeg`, in target/eeg-peers.
set -euo pipefail
cd "$(dirname "$0")/.."
python3 -m venv target/eeg-peers
target/eeg-peers/bin/pip install --quiet mne==1.13.2 matplotlib pywavelets scikit-learn joblib keras "${KERAS_BACKEND:-jax}"
echo "EEG_PEERS=target/eeg-peers/bin/python cargo bench -p benches --bench eeg"
