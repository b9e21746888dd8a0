"""Draws a blood smear with one white cell, as a stand-in where the real images can't be had."""

import itertools
import math

import numpy as np
from PIL import Image, ImageFilter

from protocols.classes import CLASSES

# The lowest and highest radius of the white cell of each class, in pixels of a 320x240 image. The
# ranges overlap.
_RADIUS = ((26, 37), (18, 28), (31, 44), (26, 37))
# The mean colours before the jitter (RGB, 0 to 255), read off the real smears by eye.
_CYTOPLASM = ((222, 172, 180), (152, 158, 212), (172, 174, 206), (214, 188, 212))
_NUCLEUS = ((112, 66, 172), (88, 58, 166), (138, 96, 182), (112, 66, 172))


def _smooth(distance: np.ndarray, softness: float) -> np.ndarray:
    """Gives the coverage in [0, 1] for a signed distance: 1 inside (where the distance is
    negative), 0 outside, and a soft edge."""
    return np.clip(0.5 - distance / softness, 0, 1)


def _blobs(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> np.ndarray:
    """Draws smooth noise of mean 0 and standard deviation about 1; `grain` is the size of its
    spots in pixels."""
    rows, columns = (max(2, math.ceil(side / grain)) for side in shape)
    small = rng.standard_normal((rows, columns), dtype=np.float32)
    large = Image.fromarray(small).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.asarray(large) * np.float32(1.4)


def _window(
    x: float, y: float, reach: float, shape: tuple[int, int]
) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray] | None:
    """Gives the part of the image within `reach` pixels of (x, y), and the coordinates of its
    pixels about (x, y); None if that part is empty."""
    left, right = max(0, math.floor(x - reach)), min(shape[1], math.ceil(x + reach) + 1)
    top, bottom = max(0, math.floor(y - reach)), min(shape[0], math.ceil(y + reach) + 1)
    if left >= right or top >= bottom:
        return None
    u = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(x)
    v = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(y)
    return (slice(top, bottom), slice(left, right)), u, v


def _red_cells(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    """Draws the optical density (arbitrary unit, 1 for one thick cell) of the red cells, as an
    array (height, width)."""
    height, width = shape
    density = np.zeros(shape, np.float32)
    radius = rng.uniform(14, 21) * scale
    number = int(rng.integers(16, 56))
    paleness = rng.uniform(0.35, 0.95)
    x, y = 0.0, 0.0
    for index in range(number):
        if index and rng.random() < 0.35:  # the cell leans on the one before, as in a rouleau
            turn, step = rng.uniform(0, 2 * math.pi), rng.uniform(0.9, 1.8) * radius
            x, y = x + step * math.cos(turn), y + step * math.sin(turn)
        else:
            x = rng.uniform(-radius, width + radius)
            y = rng.uniform(-radius, height + radius)
        long = radius * rng.uniform(0.85, 1.15)
        short = long * rng.uniform(0.72, 1.0)
        angle, bend = rng.uniform(0, math.pi), rng.uniform(-0.12, 0.12) / long
        depth = rng.uniform(0.65, 1.1)
        hollow = depth * paleness * rng.uniform(0.5, 1.05)
        hole = rng.uniform(0.35, 0.55)
        window = _window(x, y, 1.25 * long, shape)
        if window is None:
            continue
        where, u, v = window
        cos, sin = math.cos(angle), math.sin(angle)
        along = cos * u + sin * v
        across = cos * v - sin * u + np.float32(bend) * along * along
        squared = (along / long) ** 2 + (across / short) ** 2
        disc = np.clip((1 - np.sqrt(squared)) * (short / (1.6 * scale)), 0, 1)
        density[where] += disc * (depth - hollow * np.exp(squared / -(hole * hole)))
    return np.clip(density, 0, None)


def _ellipse(
    u: np.ndarray, v: np.ndarray, x: float, y: float, long: float, short: float, angle: float
) -> np.ndarray:
    """Gives the signed distance (about) to an ellipse at (x, y)."""
    cos, sin = math.cos(angle), math.sin(angle)
    along, across = cos * (u - x) + sin * (v - y), cos * (v - y) - sin * (u - x)
    return (np.sqrt((along / long) ** 2 + (across / short) ** 2) - 1) * min(long, short)


def _bridge(
    u: np.ndarray, v: np.ndarray, start: tuple[float, float], end: tuple[float, float], half: float
) -> np.ndarray:
    """Gives the signed distance to a line of half width `half` from `start` to `end`."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    share = np.clip(((u - start[0]) * dx + (v - start[1]) * dy) / (dx * dx + dy * dy), 0, 1)
    return np.hypot(u - start[0] - share * dx, v - start[1] - share * dy) - half


def _nucleus(
    class_index: int, rng: np.random.Generator, u: np.ndarray, v: np.ndarray
) -> np.ndarray:
    """Gives the signed distance to a drawn nucleus, in units of the cell's radius."""
    name = CLASSES[class_index]
    if name == "LYMPHOCYTE":
        long = rng.uniform(0.8, 0.93)
        x, y = rng.uniform(-0.08, 0.08, 2)
        return _ellipse(u, v, x, y, long, long * rng.uniform(0.88, 1.0), rng.uniform(0, math.pi))
    if name == "MONOCYTE":
        long = rng.uniform(0.64, 0.78)
        x = rng.uniform(-0.16, -0.04)
        body = _ellipse(u, v, x, 0.0, long * rng.uniform(0.8, 0.95), long, 0.0)
        notch = rng.uniform(0.3, 0.42)
        reach = x + long * rng.uniform(0.72, 1.0)
        dent = _ellipse(u, v, reach, rng.uniform(-0.12, 0.12), notch * 1.2, notch, 0.0)
        return np.maximum(body, -dent)
    if name == "EOSINOPHIL":
        gap = rng.uniform(0.33, 0.43)
        offset = rng.uniform(-0.25, 0.1)
        lobes = [(offset, -gap), (offset + rng.uniform(-0.1, 0.1), gap)]
        sizes, half = rng.uniform(0.34, 0.43, 2), rng.uniform(0.06, 0.14)
    else:
        count = int(rng.integers(3, 6))
        ring = rng.uniform(0.42, 0.54)
        turn = rng.uniform(0, 2 * math.pi)
        lobes = []
        for _ in range(count):
            away = ring * rng.uniform(0.85, 1.12)
            lobes.append((away * math.cos(turn), away * math.sin(turn)))
            turn += rng.uniform(0.95, 1.25) * (5.4 / count if count > 3 else 1.5)
        sizes, half = rng.uniform(0.21, 0.3, count) * (1.12 if count == 3 else 1), 0.055
    parts = [
        _ellipse(u, v, x, y, size * rng.uniform(1.0, 1.25), size, rng.uniform(0, math.pi))
        for (x, y), size in zip(lobes, sizes, strict=True)
    ]
    parts += [_bridge(u, v, start, end, half) for start, end in itertools.pairwise(lobes)]
    return np.minimum.reduce(parts)


def _white_cell(
    class_index: int, rng: np.random.Generator, picture: np.ndarray, scale: float, tint: np.ndarray
) -> None:
    """Draws the white cell into `picture`, (height, width, 3) float32, 0 to 255, in place."""
    name = CLASSES[class_index]
    height, width = picture.shape[:2]
    radius = rng.uniform(*_RADIUS[class_index]) * scale
    x = width * (0.5 + rng.uniform(-0.22, 0.22))
    y = height * (0.5 + rng.uniform(-0.2, 0.2))
    window = _window(x, y, 1.35 * radius, (height, width))
    assert window is not None  # the centre is always inside the image
    where, u, v = window
    angle, mirror = rng.uniform(0, 2 * math.pi), rng.choice((-1.0, 1.0))
    cos, sin = np.float32(math.cos(angle) / radius), np.float32(math.sin(angle) / radius)
    u, v = cos * u + sin * v, np.float32(mirror) * (cos * v - sin * u)
    size = u.shape

    theta = np.arctan2(v, u)
    wobble = 0.05 if name == "MONOCYTE" else 0.025
    outline = np.ones_like(theta)
    for wave in (2, 3, 4):
        swing, phase = wobble * rng.standard_normal(), rng.uniform(0, 2 * math.pi)
        outline += np.float32(swing) * np.cos(wave * theta + np.float32(phase))
    soft = 2.0 * scale * (1 / radius)
    body = _smooth(np.hypot(u, v) - outline, soft)
    ripple = np.float32(0.018) * _blobs(rng, size, 6 * scale)
    nucleus = _smooth(_nucleus(class_index, rng, u, v) + ripple, soft) * body

    shift = rng.standard_normal(3) * 9
    cytoplasm = (np.asarray(_CYTOPLASM[class_index]) + shift) * tint
    cloud = _blobs(rng, size, 5 * scale)
    colour = cytoplasm.astype(np.float32) * (1 + np.float32(0.03) * cloud[..., None])
    if name == "EOSINOPHIL":
        granules = np.clip(_blobs(rng, size, 2.2 * scale) * 1.1 + 0.35, 0, 1)
        orange = np.asarray((206, 98, 84)) + rng.standard_normal(3) * 12
        strength = rng.uniform(0.55, 0.95)
    elif name == "NEUTROPHIL":
        granules = np.clip(_blobs(rng, size, 1.6 * scale) - 0.2, 0, 1)
        orange = np.asarray((176, 132, 182)) + rng.standard_normal(3) * 12
        strength = rng.uniform(0.2, 0.45)
    elif name == "MONOCYTE":  # pale vacuoles
        granules = np.clip(_blobs(rng, size, 3.5 * scale) * 1.5 - 2.2, 0, 1)
        orange = np.asarray((222, 220, 232)) + rng.standard_normal(3) * 5
        strength = rng.uniform(0.2, 0.9)
    else:
        granules, orange, strength = np.zeros(size, np.float32), np.zeros(3), 0.0
    amount = (np.float32(strength) * granules)[..., None]
    colour += amount * ((orange * tint).astype(np.float32) - colour)

    chromatin = np.asarray(_NUCLEUS[class_index]) + rng.standard_normal(3) * (13, 9, 7)
    chromatin = (chromatin * rng.uniform(0.82, 1.12) * tint).astype(np.float32)
    coarse = np.float32(rng.uniform(0.04, 0.11)) * _blobs(rng, size, 4 * scale)
    colour += nucleus[..., None] * (chromatin * (1 + coarse[..., None]) - colour)
    solid = np.maximum(body * np.float32(rng.uniform(0.8, 0.97)), nucleus)[..., None]
    picture[where] += solid * (colour - picture[where])


def _platelets(
    rng: np.random.Generator, picture: np.ndarray, scale: float, tint: np.ndarray
) -> None:
    """Draws a few small purple specks into `picture`, in place."""
    height, width = picture.shape[:2]
    for _ in range(int(rng.integers(0, 9))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        radius = rng.uniform(1.5, 4.5) * scale
        window = _window(x, y, 2 * radius, (height, width))
        if window is None:
            continue
        where, u, v = window
        speck = np.exp((u * u + v * v) / -(radius * radius)) * rng.uniform(0.3, 0.9)
        purple = (np.asarray((138, 118, 196)) * tint).astype(np.float32)
        picture[where] += speck.astype(np.float32)[..., None] * (purple - picture[where])


def draw_cell(
    class_index: int, rng: np.random.Generator, height: int = 240, width: int = 320
) -> np.ndarray:
    """Draws a smear with one white cell of class CLASSES[class_index].

    Returns RGB, uint8 (height, width, 3). All lengths grow with the image, so an image of 640x480
    shows cells of twice the size of one of 320x240. All randomness comes from `rng`. Raises
    ValueError for an unknown class, or an image with a side of less than 24 pixels.
    """
    if not 0 <= class_index < len(CLASSES):
        raise ValueError(f"class_index is {class_index}; it must be 0 to {len(CLASSES) - 1}")
    if height < 24 or width < 24:
        raise ValueError(f"{width}x{height} is too small; 24 pixels a side are the least")
    scale = min(height / 240, width / 320)

    # Stain and camera: one gain for all channels, and a smaller one for each channel.
    tint = rng.uniform(0.86, 1.1) * (1 + 0.022 * rng.standard_normal(3))
    ground = np.asarray((212, 206, 204)) + rng.standard_normal(3) * 5
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    lean_x, lean_y = (np.float32(value) for value in rng.uniform(-0.07, 0.07, 2))
    vignette = np.float32(rng.uniform(0, 0.06))
    light = 1 + lean_x * across + lean_y * down - vignette * (across * across + down * down)

    pink = rng.random()
    absorbed = np.asarray((0.09, 0.36, 0.4 - 0.18 * pink)) * rng.uniform(0.6, 1.15)
    red = np.minimum(_red_cells(rng, (height, width), scale), np.float32(1.7))
    picture = np.exp(red[..., None] * -absorbed.astype(np.float32))
    picture *= (ground * tint).astype(np.float32)

    _platelets(rng, picture, scale, tint)
    _white_cell(class_index, rng, picture, scale, tint)
    picture *= light[..., None]

    blurred = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(rng.uniform(0.3, 1.1) * scale)
    )
    noise = rng.standard_normal((height, width, 3), dtype=np.float32)
    noise *= np.float32(rng.uniform(1, 4.5))
    noise += np.asarray(blurred)
    return np.clip(np.rint(noise, out=noise), 0, 255).astype(np.uint8)
