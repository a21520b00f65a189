"""Clients of the guests' tests."""

import time


def still_waits(client):
    """Of [socket, what is still to be sent, until when]."""
    connection, request, end = client
    try:
        if request:
            connection.send(request)
            client[1] = b""
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        if time.monotonic() < end:
            return True
    except OSError:
        pass
    connection.close()
    return False
