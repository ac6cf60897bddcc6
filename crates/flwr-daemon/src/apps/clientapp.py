sys.argv += told_arguments()
sys.orig_argv[1:] = sys.argv
sys.modules["__main__"] = MAIN
exec(CODE, vars(MAIN))
