"""The step file of the backend that Keras runs on, behind one name."""

import keras

if keras.backend.backend() == "jax":
    from impl_keras import step_jax as backend
else:
    from impl_keras import step_tensorflow as backend

__all__ = ["backend"]
