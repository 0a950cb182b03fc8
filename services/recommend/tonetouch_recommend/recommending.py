"""Recommending: a mix made for one listener."""

from tonetouch_runtime import Router

router = Router()
