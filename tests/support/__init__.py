"""What the tests stand on: a server with faults, repositories, processes, a sink over a file."""
