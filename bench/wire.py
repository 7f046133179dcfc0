"""A relay before a registry that counts what a client sends it: bytes, requests, and which methods.

Counting costs time, so what is counted is never timed."""
import re
import socket
import threading

LINE = re.compile(rb'([A-Z]+) /v2/\S* HTTP/1\.[01]\r\n')


class Relay:
    """From 127.0.0.1:port to 127.0.0.1:upstream, until it is stopped."""

    def __init__(self, port, upstream):
        self.port, self.upstream, self.lock = port, upstream, threading.Lock()
        self.reset()
        self.listener = socket.create_server(('127.0.0.1', port))
        threading.Thread(target=self.serve, daemon=True).start()

    def reset(self):
        self.bytes, self.requests = 0, {}

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(('127.0.0.1', self.upstream))
            threading.Thread(target=self.copy, args=(client, server, self.count), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, lambda *_: b''), daemon=True).start()

    def count(self, data, tail):
        """Notes data that follows `tail`; what may be the beginning of a request line cut in two is the next tail."""
        text = tail + data
        with self.lock:
            self.bytes += len(data)
            for method in LINE.findall(text):
                self.requests[method.decode()] = self.requests.get(method.decode(), 0) + 1
        found = list(LINE.finditer(text))
        return text[max(found[-1].end() if found else 0, len(text) - 2048):]

    @staticmethod
    def copy(source, target, note):
        tail = b''
        try:
            while data := source.recv(1 << 18):
                tail = note(data, tail)
                target.sendall(data)
        except OSError:
            pass
        for end in (target, source):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def stop(self):
        # A thread that waits for a client would keep it open.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
