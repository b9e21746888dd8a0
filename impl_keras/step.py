"""Chooses the step file of the backend that Keras runs on, and gives it one name."""

from types import ModuleType

import keras

backend: ModuleType
if keras.backend.backend() == "jax":
    from impl_keras import step_jax

    backend = step_jax
else:
    from impl_keras import step_tensorflow

    backend = step_tensorflow

__all__ = ["backend"]
