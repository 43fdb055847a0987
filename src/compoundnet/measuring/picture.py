"""A made photograph, for clocking what happens before the network."""

import io


def photograph(width: int = 500, height: int = 375) -> bytes:
    """A smooth random scene with grain, as JPEG; decoding it takes as long as its size and detail ask.

    500 x 375 pixels is the commonest size in ImageNet.
    """
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (max(height // 40, 1), max(width // 40, 1), 3), dtype=np.uint8))
    scene = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    grain = rng.integers(-12, 13, scene.shape, dtype=np.int16)
    buffer = io.BytesIO()
    Image.fromarray(np.clip(scene + grain, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()
