"""What tests in guests and in pods have in common: clients, and the configuration of nginx."""

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


def nginx_conf(work, server):
    """Of one worker, which keeps everything that it writes in the folder `work`."""
    return f"""
daemon off;
user root;
worker_processes 1;
pid {work}/nginx.pid;
error_log {work}/nginx-error.log;
events {{ worker_connections 4000; }}
http {{
  access_log off;
  client_body_temp_path {work}/body; proxy_temp_path {work}/proxy; fastcgi_temp_path {work}/fastcgi;
  uwsgi_temp_path {work}/uwsgi; scgi_temp_path {work}/scgi;
  server {{ {server} }}
}}
"""
