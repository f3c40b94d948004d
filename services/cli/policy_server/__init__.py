"""A policy behind OpenAI's completions route, so that a rollout teacher has somebody to ask."""
