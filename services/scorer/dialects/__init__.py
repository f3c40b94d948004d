"""The scorer's other languages: OpenRLHF's `/get_reward`, verl's `/classify`, vLLM's `/pooling`."""
