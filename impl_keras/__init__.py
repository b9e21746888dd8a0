"""The Keras twin, on TensorFlow or JAX. Imports `protocols` only.

Models and losses are pure Keras 3; step_tensorflow.py and step_jax.py alone import a backend.
"""
