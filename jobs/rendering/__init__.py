"""Rendering what users wrote, in processes of its own: which names `jobs.templates` and `jobs.documents` use."""

from jobs.rendering.renderer import Bounds, Refusal, Renderer, RenderingFailed

__all__ = ["Bounds", "Refusal", "Renderer", "RenderingFailed"]
