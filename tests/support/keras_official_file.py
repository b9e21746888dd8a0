"""Files of weights as their makers write them, for tests."""

import h5py
import numpy as np


def write_official(path, layers, named="{layer}/weight_{i}:0", libver=None):
    """A weights file in Keras's old HDF5 layout; `layers`: (name, [array, ...]) in order.

    `named`: what a weight is called in the file, which nobody should rely on; `i` counts down, so
    that their alphabetic order is not theirs. `libver`: the version of HDF5, as h5py takes it.
    """
    with h5py.File(path, "w", libver=libver) as file:
        file.attrs["layer_names"] = np.array([name.encode() for name, _ in layers])
        file.attrs["backend"] = b"tensorflow"
        for layer, arrays in layers:
            group = file.create_group(layer)
            names = [named.format(layer=layer, i=i) for i in range(len(arrays), 0, -1)]
            group.attrs["weight_names"] = np.array([name.encode() for name in names], "S")
            for name, array in zip(names, arrays, strict=True):
                group.create_dataset(name, data=array)
