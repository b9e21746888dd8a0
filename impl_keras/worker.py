"""The Keras worker process: python -m impl_keras.worker (protocols.serve has the messages)."""

from impl_keras.device import seen
from impl_keras.train import train
from protocols.serve import serve

if __name__ == "__main__":
    serve(seen(), train)
