"""One file for each sub-command: it parses, calls one function of the tool, and shows what that returns."""
