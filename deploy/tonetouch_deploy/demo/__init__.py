"""A small album made from nothing, so that a new installation has something to play."""

from tonetouch_deploy.demo.album import make_album

__all__ = ["make_album"]
