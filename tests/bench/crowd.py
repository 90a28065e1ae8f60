"""Clients that are too slow, and clients that are too many: what those who behave notice of them.

T14: the 99th of a hundred reads may take three times as long beside 500 heads that never end, 200 bodies that never end
and 200 readers who take nothing. T15: at ten times the rate of uploads that can be had, at least 70 % of it is had, and
five seconds later everything is as before.
"""

import http.client
import os
import socket
import statistics
import threading
import time

from load import module_zip, show
from servers import TOKEN, Keeper

HEADS, BODIES, READERS = 500, 200, 200
TRICKLE_SECONDS = 0.5
LIMIT = {"p99 with / without": 3, "goodput": 0.7, "recovery, s": 5}


def settings():
    return {"KEEPER_MAX_CONNECTIONS_PER_ADDRESS": "100000", "KEEPER_LOG": "error"}


class Crowd:
    """Slow clients of one server, all on one thread; they stay until they are told to leave."""

    def __init__(self, keeper, path):
        self.address, self.ends = ("127.0.0.1", keeper.port), threading.Event()
        head = f"Host: 127.0.0.1:{keeper.port}\r\n"
        self.kinds = [
            (HEADS, f"GET / HTTP/1.1\r\n{head}X: ", True),
            (BODIES, f"POST /api/artifacts HTTP/1.1\r\n{head}Authorization: Bearer {TOKEN}\r\n"
                     "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000000\r\n\r\n", True),
            (READERS, f"GET {path} HTTP/1.1\r\n{head}\r\n", False),
        ]
        self.clients = [(self.connect(begin), trickles) for count, begin, trickles in self.kinds for _ in range(count)]
        self.thread = threading.Thread(target=self.trickle, daemon=True)
        self.thread.start()

    def connect(self, begin):
        client = socket.create_connection(self.address)
        client.sendall(begin.encode())
        client.setblocking(False)
        return client

    def trickle(self):
        while not self.ends.wait(TRICKLE_SECONDS):
            for client, trickles in self.clients:
                if trickles:
                    try:
                        client.send(b"x")
                    except OSError:
                        # The server has had enough of it.
                        pass

    def leave(self):
        self.ends.set()
        self.thread.join()
        for client, _ in self.clients:
            client.close()


def read_times(keeper, path, seconds):
    """The time of each read, each on a connection of its own."""
    times, ends = [], time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", keeper.port, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200 or not answer.read():
            raise SystemExit(f"{path}: {answer.status}")
        connection.close()
        times.append(time.monotonic() - began)
        time.sleep(0.002)
    return times


def p99(times):
    return statistics.quantiles(times, n=100)[98]


def slow(folder, options):
    keeper = Keeper(options.binary, folder, **settings())
    small, large = folder / "small.zip", folder / "large.zip"
    module_zip(small, 2, 10 << 10)
    module_zip(large, 1, 32 << 20)
    keeper.publish(small, "example.com/bench/m", "v1.0.0")
    keeper.publish(large, "example.com/bench/large", "v1.0.0")
    path = "/go/local/example.com/bench/m/@v/v1.0.0.info"
    without, beside = [], []
    for _ in range(min(options.rounds, 3)):
        without.append(p99(read_times(keeper, path, options.seconds)))
        crowd = Crowd(keeper, "/go/local/example.com/bench/large/@v/v1.0.0.zip")
        # Heads are cut after ten seconds: the measuring ends before.
        beside.append(p99(read_times(keeper, path, min(options.seconds, 8))))
        crowd.leave()
        time.sleep(1)
    keeper.stop()
    ratio = statistics.median(b / a for a, b in zip(without, beside, strict=True))
    return show({"what": f"crowd: reads beside {HEADS} heads, {BODIES} bodies, {READERS} readers that are slow",
                 "p99 without, ms": round(statistics.median(without) * 1000, 2),
                 "p99 with, ms": round(statistics.median(beside) * 1000, 2),
                 "with/without": round(ratio, 2), "limit": LIMIT["p99 with / without"]})


class Uploaders:
    """So many clients that publish small files until they are told to end; they come again so long after a refusal."""

    def __init__(self, keeper, count, name, content, again=0.0):
        self.ends, self.made, self.refused, self.bad = threading.Event(), 0, 0, []
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.upload, args=(keeper, f"{name}{number}", content, again), daemon=True)
                        for number in range(count)]
        for thread in self.threads:
            thread.start()

    def upload(self, keeper, name, content, again):
        connection, version = http.client.HTTPConnection("127.0.0.1", keeper.port, timeout=60), 0
        while not self.ends.is_set():
            version += 1
            connection.request("PUT", f"/generic/files/{name}/{version}/file", content, {"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            answer.read()
            with self.lock:
                if answer.status == 201:
                    self.made += 1
                elif answer.status == 503 and answer.getheader("Retry-After"):
                    self.refused += 1
                else:
                    self.bad.append(answer.status)
            if answer.status == 503:
                time.sleep(again)

    def run(self, seconds):
        """Publications and refusals per second."""
        before = (self.made, self.refused)
        time.sleep(seconds)
        return tuple((after - earlier) / seconds for after, earlier in zip((self.made, self.refused), before, strict=True))

    def leave(self):
        self.ends.set()
        for thread in self.threads:
            thread.join()
        if self.bad:
            raise SystemExit(f"neither made nor refused in time: {self.bad[:5]}")


def overload(folder, options, again=0.0):
    """Ten times as many clients as the server takes uploads at once."""
    keeper = Keeper(options.binary, folder, KEEPER_MAX_UPLOADS_PER_CREDENTIAL="1000", **settings())
    keeper.repository({"format": "generic", "name": "files", "kind": "hosted", "anonymous_read": True})
    content = os.urandom(20_000)
    best, many, recovered = [], [], []
    for round_number in range(min(options.rounds, 3)):
        few = Uploaders(keeper, 32, f"few{round_number}-", content)
        best.append(few.run(options.seconds)[0])
        few.leave()
        crowd = Uploaders(keeper, 320, f"many{round_number}-", content, again)
        time.sleep(1)
        many.append(crowd.run(max(options.seconds, 5)))
        crowd.leave()
        began = time.monotonic()
        while True:
            after = Uploaders(keeper, 32, f"after{round_number}-{time.monotonic()}-", content)
            rate = after.run(0.5)[0]
            after.leave()
            if rate >= 0.9 * best[-1] or time.monotonic() - began > 30:
                recovered.append(time.monotonic() - began - 0.5)
                break
    keeper.stop()
    return show({"what": f"crowd: uploads of 320 clients that come again after {again} s, against 32", "at best, 1/s": round(statistics.median(best), 1),
                 "with the crowd, 1/s": round(statistics.median(made for made, _ in many), 1),
                 "refused, 1/s": round(statistics.median(refused for _, refused in many), 1),
                 "goodput": round(statistics.median(made / top for (made, _), top in zip(many, best, strict=True)), 2),
                 "limit": LIMIT["goodput"], "recovery, s": round(statistics.median(recovered), 1),
                 "recovery limit, s": LIMIT["recovery, s"]})


def patient(folder, options):
    """The same with clients who wait a little, and leave the processors to the server meanwhile."""
    return overload(folder, options, 0.25)


def crowd(folder, options):
    rows = []
    for measure in (slow, overload, patient):
        place = folder / measure.__name__
        place.mkdir()
        rows.append(measure(place, options))
    return rows
