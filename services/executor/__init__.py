"""The executor: programs in processes of their own, judged outside."""
