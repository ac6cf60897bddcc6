# Runs `flwr-clientapp` with arguments from stdin.
#
#   python -c <this> PROGRAM
sys.argv = sys.argv[1:]
MAIN, CODE = main_module(sys.argv[0])
sys.argv += told_arguments()
sys.orig_argv[1:] = sys.argv
sys.modules["__main__"] = MAIN
exec(CODE, vars(MAIN))
