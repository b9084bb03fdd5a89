# SPDX-License-Identifier: Apache-2.0
"""tpm_bus.py LISTEN TPM LOG FAULTS: what lies between a program and its TPM (swtpm). Passes commands and answers on, writes every byte
into LOG, and answers itself what the file FAULTS says, read anew for each command: lines `CODE ANSWER COUNT`, with the command code in
hex or `*`, and as ANSWER a response code in hex, `garbage`, `flip` (one bit of the TPM's answer) or `close`. It must not be trusted by
the program, and is not."""

import socket
import sys
import threading

listen, tpm, log, faults = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "ab", buffering=0), sys.argv[4]
counts = {}


def receive(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise ConnectionError
        data += part
    return data


def packet(sock):
    head = receive(sock, 10)
    return head + receive(sock, int.from_bytes(head[2:6], "big") - 10)


def fault(command):
    code = int.from_bytes(command[6:10], "big")
    try:
        lines = open(faults, encoding="ascii").read().split("\n")
    except OSError:
        return None
    for line in filter(None, lines):
        which, answer, count = line.split()
        if which != "*" and int(which, 16) != code:
            continue
        counts[line] = counts.get(line, 0) + 1
        if counts[line] <= int(count):
            return answer
    return None


def serve(client):
    try:
        with client, socket.create_connection(("127.0.0.1", tpm)) as server:
            while True:
                command = packet(client)
                log.write(command)
                wrong = fault(command)
                if wrong == "close":
                    return
                if wrong == "garbage":
                    answer = bytes.fromhex("80020000001c00000000") + b"\xff" * 18
                elif wrong not in (None, "flip"):
                    answer = bytes.fromhex("80010000000a") + int(wrong, 16).to_bytes(4, "big")
                else:
                    server.sendall(command)
                    answer = packet(server)
                    if wrong == "flip" and len(answer) > 20:
                        answer = answer[:-1] + bytes([answer[-1] ^ 1])
                log.write(answer)
                client.sendall(answer)
    except (ConnectionError, OSError):
        pass


def pipe(a, b):
    try:
        while data := a.recv(4096):
            b.sendall(data)
    except OSError:
        pass
    for sock in (a, b):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def control(client):
    try:
        server = socket.create_connection(("127.0.0.1", tpm + 1))
    except OSError:
        client.close()
        return
    threading.Thread(target=pipe, args=(server, client), daemon=True).start()
    pipe(client, server)


def accept(port, handle):
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            client, _ = server.accept()
            threading.Thread(target=handle, args=(client,), daemon=True).start()


threading.Thread(target=accept, args=(listen + 1, control), daemon=True).start()
accept(listen, serve)
