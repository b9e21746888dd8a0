"""The Keras twin, on TensorFlow or JAX. Imports `protocols` only.

Models and losses are pure Keras 3; step_tensorflow.py and step_jax.py alone import a backend.
"""

import os
from importlib.util import find_spec

# Convolutions by oneDNN on every x86 CPU, asked for before TensorFlow is there. By itself it has
# them on CPUs with AVX-512 only; one without trained InceptionV3 at 0.6 of the speed.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
# Keras's own choice is TensorFlow, also where that isn't installed: on a GPU it needn't be.
if find_spec("tensorflow") is None:
    os.environ.setdefault("KERAS_BACKEND", "jax")
