"""What TRL would be told about two programs: `linewise up --model DIR` in one terminal, this in another.

`examples/trl_grpo.py` trains with it. https://huggingface.co/docs/trl/grpo_trainer#using-a-custom-reward-function
"""

from services.client import trl_reward

PROGRAMS = ["def add(a, b):\n    return a + b\n", "Sure!\n```python\ndef add(a, b):\n    return a - b\n```"]

if __name__ == "__main__":
    reward = trl_reward()  # the mean score of the lines; LINEWISE_SCORER_URL, or http://127.0.0.1:8001
    for value, program in zip(reward(["Write a function to add two numbers."] * 2, PROGRAMS), PROGRAMS, strict=True):
        print(value, repr(program))
