"""AI calls: what is asked of a model, who answers, and what is kept of it."""
