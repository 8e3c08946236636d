"""A name server that gives every name this machine's loopback address."""

import socket
import struct
import threading

A, IN = 1, 1


class NameServer:
    """At 127.0.0.1:53, which only root may take; in a network namespace of its own nobody else has it."""

    address = "127.0.0.1"

    def __init__(self):
        self.asked = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            query, client = self.socket.recvfrom(512)
            self.socket.sendto(self.answer(query), client)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        self.asked.add(".".join(labels))
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        found = struct.pack(">HHHIH4B", 0xC00C, A, IN, 60, 4, 127, 0, 0, 1) if kind == A else b""
        head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, bool(found), 0, 0)
        return head + query[12:at + 5] + found
