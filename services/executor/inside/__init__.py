"""What runs on the candidate's side of the wall: standard library only, nothing secret, nothing expected."""
