# Which process uses which channel, and where in the framework.
def sew():
    """Puts the seams in, as far as this release has places for them."""
    for names, library, seam in (
        (GRPC_MODULES, "grpc", grpc_seam),
        (HTTP_MODULES, "httpx", http_seam),
    ):
        for name in names:
            module = sys.modules.get(name)
            found = getattr(module, library, None)
            if found is not None and not isinstance(found, Seam):
                setattr(module, library, seam(found))


def use_channel(number, address):
    """Has the framework call the daemon at this address through this socket."""
    if not hasattr(os, "memfd_create") or not hasattr(fcntl, "F_ADD_SEALS"):
        os.close(number)
        return
    earlier = NATIVE["line"]
    if earlier is None:
        os.register_at_fork(after_in_child=leave_to_parent)
    elif not earlier.lost:
        earlier.lose()
    NATIVE.update(line=Line(number), address=address)
    try:
        sew()
    except Exception as error:
        # The framework calls the address then.
        print(f"no native channel: {error!r}", file=sys.stderr)
        NATIVE["line"].lose()


def leave_to_parent():
    NATIVE["line"].leave_to_parent()
