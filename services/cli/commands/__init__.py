"""One module a command. Each imports what is slow inside its functions, so that `linewise --help` is quick."""
