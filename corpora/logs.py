"""Made-up machine logs and telemetry, for the training text that no package holds.

Every line comes from templates of this file, names from short lists and numbers from a seeded
generator, so the output is the same everywhere. The formats (syslog, access log, key=value, JSON
lines, bracketed Java style, CSV telemetry, build output, ...) are common ones; the messages, hosts
and values are invented here and copied from no real system and no published log collection.
"""
import json
import random

HOSTS = ["mercury", "venus-2", "web01", "web02", "db-main", "edge-fra-3", "nas", "build7", "pi-attic"]
USERS = ["anna", "bob", "ci", "deploy", "erika", "root", "svc-mail", "wei", "yusuf", "www-data"]
PATHS = ["/", "/index.html", "/api/v1/items", "/api/v1/items/{n}", "/static/app.{h}.js", "/login",
         "/img/{n}.webp", "/favicon.ico", "/api/v2/search?q={w}&page={d}", "/feed.xml", "/cart/add"]
WORDS = ["harbour", "copper", "lantern", "violet", "granite", "meadow", "signal", "orchid", "timber"]
AGENTS = ["Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
          "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
          "Chrome/119.0.0.0 Safari/537.36",
          "Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
          "Gecko) Version/17.1 Mobile/15E148 Safari/604.1", "curl/8.4.0", "healthcheck/2.1"]
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Source:
    """A clock, and values that repeat the way real ones do."""

    def __init__(self, seed, step):
        self.random = random.Random("madezip logs " + seed)
        self.second = self.random.randrange(10**6, 2 * 10**7)
        self.step, self.count = step, self.random.randrange(10**5)
        self.addresses = ["{}.{}.{}.{}".format(*(self.random.randrange(1, 255) for _ in range(4)))
                          for _ in range(40)]
        self.favourites = {}

    def tick(self):
        self.second += self.random.expovariate(1 / self.step)
        self.count += 1

    def pick(self, values):
        """One of the values, the first in this source's own order most often."""
        mine = self.favourites.setdefault(tuple(values), self.random.sample(values, len(values)))
        return mine[min(int(self.random.expovariate(2.2 / len(mine) + 0.15)), len(mine) - 1)]

    def fill(self, text):
        """Replace the {x} fields of a template."""
        r = self.random
        kinds = {"n": lambda: r.randrange(1, 10 ** r.randrange(1, 6)), "d": lambda: r.randrange(10),
                 "h": lambda: "%08x" % r.getrandbits(32), "H": lambda: "0x%012x" % r.getrandbits(44),
                 "w": lambda: self.pick(WORDS), "u": lambda: self.pick(USERS),
                 "a": lambda: self.pick(self.addresses), "o": lambda: self.pick(HOSTS),
                 "p": lambda: r.randrange(1024, 65535), "i": lambda: self.count,
                 "f": lambda: "%.3f" % r.lognormvariate(1, 1.5), "t": lambda: "%d" % r.lognormvariate(3, 1),
                 "g": lambda: "%08x-%04x-4%03x-%04x-%012x" % (r.getrandbits(32), r.getrandbits(16),
                                                              r.getrandbits(12), r.getrandbits(16),
                                                              r.getrandbits(48))}
        out = text
        for _ in range(12):
            at = out.find("{")
            if at < 0:
                break
            out = out[:at] + str(kinds[out[at + 1]]()) + out[at + 3:]
        return out

    def date(self, style):
        """The clock in one of the usual styles."""
        whole = int(self.second)
        day, rest = divmod(whole, 86400)
        month, dom = day // 30 % 12, day % 30 + 1 if day // 30 % 12 != 1 else day % 28 + 1
        hms = "%02d:%02d:%02d" % (rest // 3600, rest // 60 % 60, rest % 60)
        milli = int((self.second - whole) * 1000)
        return {"syslog": "%s %2d %s" % (MONTHS[month], dom, hms),
                "iso": "2023-%02d-%02dT%s.%03dZ" % (month + 1, dom, hms, milli),
                "space": "2023-%02d-%02d %s,%03d" % (month + 1, dom, hms, milli),
                "plain": "2023-%02d-%02d %s" % (month + 1, dom, hms),
                "clf": "%02d/%s/2023:%s +0100" % (dom, MONTHS[month], hms),
                "us": "%d/%d/2023 %d:%02d:%02d %s" % (month + 1, dom, (rest // 3600) % 12 or 12,
                                                     rest // 60 % 60, rest % 60,
                                                     "AM" if rest < 43200 else "PM"),
                "klog": "%02d%02d %s.%06d" % (month + 1, dom, hms, milli * 1000 + self.count % 1000),
                "unix": "%d.%03d" % (1680000000 + whole, milli),
                "glog": "23/%02d/%02d %s" % (month + 1, dom, hms)}[style]


DAEMON = ["sshd[{n}]: Accepted publickey for {u} from {a} port {p} ssh2: ED25519 SHA256:{h}{h}",
          "sshd[{n}]: Connection closed by {a} port {p} [preauth]",
          "CRON[{n}]: ({u}) CMD (/usr/local/bin/rotate-{w} --quiet)",
          "systemd[1]: Started {w}.service - {w} worker for {u}.",
          "systemd[1]: {w}.service: Deactivated successfully.",
          "kernel: [{f}] usb 1-{d}: new high-speed USB device number {d} using xhci_hcd",
          "postfix/smtpd[{n}]: connect from mail.{w}.example[{a}]",
          "dhclient[{n}]: bound to {a} -- renewal in {n} seconds.",
          "{w}d[{n}]: cache miss for key {h}, {t} entries evicted",
          "sudo: {u} : TTY=pts/{d} ; PWD=/home/{u} ; USER=root ; COMMAND=/usr/bin/apt-get update"]
SERVICE = ["[{w}-pool-{d}] o.e.{w}.OrderService - placed order {g} for customer {n} in {t} ms",
           "[{w}-pool-{d}] o.e.{w}.Cache - evicted {t} entries, hit ratio {f}",
           "[main] o.e.boot.Server - listening on port {p}",
           "[scheduler-{d}] o.e.jobs.Sweep - run {i} finished: {t} removed, {d} kept",
           "[http-{d}] o.e.web.Filter - {a} rejected: token expired {t} s ago"]
EVENTS = ["level=info msg=\"request done\" method=GET path=/v1/{w}/{n} status=200 dur={f}ms id={h}",
          "level=debug msg=\"lease renewed\" holder={o} ttl={t}s rev={i}",
          "level=warn msg=\"slow query\" table={w} rows={n} dur={f}ms",
          "level=error msg=\"upstream refused\" peer={a}:{p} attempt={d} err=\"connection refused\""]
WINDOWS = ["Information\tService Control\t{n}\tThe {w} service entered the running state.",
           "Information\tUpdate Agent\t{n}\tInstallation of package {g} completed with code 0x0.",
           "Warning\tDisk\t{n}\tThe IO operation at logical block {H} for disk {d} was retried.",
           "Error\tApplication\t{n}\tFaulting module {w}.dll, offset {H}, process id 0x{h}."]


def access(s):
    code, size = s.pick([200, 200, 304, 404, 301, 500]), int(s.random.lognormvariate(8, 1.3))
    return '{} - {} [{}] "{} {} HTTP/1.1" {} {} "{}" "{}"'.format(
        s.pick(s.addresses), s.pick(["-", "-", "anna"]), s.date("clf"), s.pick(["GET", "POST", "HEAD"]),
        s.fill(s.pick(PATHS)), code, size, s.pick(["-", "https://shop.example/", "https://example.org/a"]),
        s.pick(AGENTS))


def json_event(s):
    return json.dumps({"ts": s.date("iso"), "level": s.pick(["info", "warn", "error", "debug"]),
                       "service": s.pick(WORDS), "host": s.pick(HOSTS), "trace_id": s.fill("{h}{h}"),
                       "user": {"id": s.random.randrange(9000), "name": s.pick(USERS)},
                       "duration_ms": round(s.random.lognormvariate(2, 1), 2),
                       "msg": s.fill(s.pick(["stored {w} {n}", "loaded {t} rows", "sent mail to {u}"])),
                       "tags": s.random.sample(WORDS, s.random.randrange(3))},
                      separators=(",", ":"))


def json_reading(s):
    return json.dumps({"id": s.count, "device": "sensor-%03d" % s.random.randrange(24),
                       "time": int(s.date("unix").split(".")[0]),
                       "temperature": round(s.random.gauss(21, 2), 2),
                       "humidity": round(s.random.gauss(45, 6), 1), "battery": s.random.randrange(20, 101),
                       "ok": s.random.random() < 0.97, "position": None if s.random.random() < 0.3 else
                       [round(s.random.gauss(48.1, .01), 5), round(s.random.gauss(11.6, .01), 5)]})


def telemetry(s):
    return "{},{},{:.2f},{:.3f},{},{:.1f}".format(
        s.date("plain"), s.pick(HOSTS), s.random.gauss(54, 4), s.random.lognormvariate(0, .4),
        s.random.randrange(0, 4096, 16), 100 * s.random.betavariate(2, 5))


def gps(s):
    """One NMEA position sentence with its checksum."""
    text = "GPGGA,%09.2f,%09.4f,N,%010.4f,E,1,%02d,0.9,%.1f,M,46.9,M,," % (
        s.second % 240000, 4808 + s.random.gauss(0, .01), 1134 + s.random.gauss(0, .01),
        s.random.randrange(6, 12), s.random.gauss(519, 2))
    check = 0
    for byte in text.encode():
        check ^= byte
    return "$%s*%02X" % (text, check)


def build_output(s):
    return s.fill(s.pick(["[ {d}%] Building C object src/CMakeFiles/{w}.dir/{w}_{d}.c.o",
                          "cc -O2 -g -Wall -Iinclude -DVERSION=\\\"{d}.{d}\\\" -c -o obj/{w}{n}.o src/{w}.c",
                          "src/{w}.c:{n}:{d}: warning: unused variable '{w}' [-Wunused-variable]",
                          "   Compiling {w}-core v0.{d}.{d}", "test {w}::tests::{w}_{d} ... ok",
                          "PASS tests/{w}.test.js ({f} s)"]))


def templated(style, templates, form):
    """A line maker: the date, a host, a filled template."""
    return lambda s: form.format(date=s.date(style), host=s.favourites.setdefault(
        "host", s.random.choice(HOSTS)), text=s.fill(s.pick(templates)))


KINDS = {
    "syslog.log": (20, templated("syslog", DAEMON, "{date} {host} {text}")),
    "journal-iso.log": (5, templated("iso", DAEMON, "{date} {host} {text}")),
    "access.log": (2, access),
    "service.log": (0.5, templated("space", SERVICE, "{date} INFO  {text}")),
    "logfmt.log": (0.2, templated("iso", EVENTS, "time={date} {text}")),
    "klog.log": (0.1, templated("klog", EVENTS, "I{date}       1 controller.go:217] {text}")),
    "winevent.txt": (60, templated("us", WINDOWS, "{date}\t{text}")),
    "events.jsonl": (1, json_event), "readings.jsonl": (10, json_reading),
    "telemetry.csv": (15, telemetry), "track.nmea": (1, gps), "build.log": (1, build_output),
}


def files(part, size):
    """(name, bytes) of every kind, `size` bytes each; another part has other hosts and values."""
    for name, (step, line) in KINDS.items():
        source, out, have = Source(name + " " + str(part), step), [], 0
        while have < size:
            source.tick()
            text = line(source).encode() + b"\n"
            out.append(text)
            have += len(text)
        yield name.replace(".", "-%d." % part, 1), b"".join(out)
