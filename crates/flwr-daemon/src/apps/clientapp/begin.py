# Runs `flwr-clientapp` with arguments from stdin.
#
#   python -c <this> PROGRAM
sys.argv = sys.argv[1:]
MAIN, CODE = main_module(sys.argv[0])
