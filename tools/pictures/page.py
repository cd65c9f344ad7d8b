"""Pictures of the page, in light and in dark."""

import io
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, ViewportSize

from tools.pictures.tutorial import Shot

SCALE = 1.5
COLOURS = 96
TALL = 1600
"""A part that is taller than the window would be cut."""
WAIT_MILLISECONDS = 240_000
FADE_MILLISECONDS = 500
_SCHEMES: tuple[tuple[Literal["light", "dark"], str], ...] = (("light", ""), ("dark", "-dark"))


def shoot(browser: Browser, base_url: str, shot: Shot, folder: Path) -> None:
    """Write ``NAME.png`` and ``NAME-dark.png``."""
    size: ViewportSize = {"width": shot.width, "height": shot.height or TALL}
    page = browser.new_page(viewport=size, device_scale_factor=SCALE)
    page.goto(base_url + shot.path)
    if shot.part:
        page.locator(shot.part).first.wait_for(timeout=WAIT_MILLISECONDS)
    for scheme, suffix in _SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(FADE_MILLISECONDS)
        (folder / f"{shot.picture}{suffix}.png").write_bytes(_small(_taken(page, shot)))
    page.close()


def _taken(page: Page, shot: Shot) -> bytes:
    if shot.part:
        return page.locator(shot.part).first.screenshot()
    return page.screenshot()


def _small(png: bytes) -> bytes:
    """The same with fewer colours."""
    made = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()
