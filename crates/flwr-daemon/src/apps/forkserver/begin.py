# Starts app processes by fork, with what they import already imported.
#
#   python -c <this> PROGRAM
PROGRAM = sys.argv[1]
sys.orig_argv[1:] = [PROGRAM]
MAIN, CODE = main_module(PROGRAM)
