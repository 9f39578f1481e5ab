"""The command line.

Each module of commands has a function `register`, which adds them to the main application.
Exit codes: 0 done; 1 not done, and one line on stderr says why and what to do; 2 wrong usage;
3 nobody answers at the address; 4 a bulk job ended with rejected documents; 130 interrupted.
"""
