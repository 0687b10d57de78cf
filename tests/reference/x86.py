"""Where in an x86 instruction the next byte stands (§14.1)."""

U32 = 0xFFFFFFFF

MODRM, BYTE, WORD, FULL, PREFIX, TEST = range(6)
# kinds of address
NEAR, RIP = range(2)
# what programs begin with
BEGINNINGS = [b"\x7fELF\1\1\1", b"\x7fELF\2\1\1", b"MZ\x90\0\3\0\0"]


def opcodes(text):
    """The numbers of a list such as `63 84-8f`."""
    found = set()
    for word in text.split():
        first, _, last = word.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return found


PREFIXES = opcodes("26 2e 36 3e 64-67 f0 f2 f3")
LOW = [i for i in range(0x40) if i not in PREFIXES]
ONE = {
    MODRM: {i for i in LOW if i & 7 < 4}
    | opcodes("62 63 69 6b 80-8f c0 c1 c4-c7 d0-d3 d8-df f6 f7 fe ff"),
    BYTE: {i for i in LOW if i & 7 == 4}
    | opcodes("6a 6b 70-80 82 83 a8 b0-b7 c0 c1 c6 c8 cd d4 d5 e0-e7 eb f6"),
    WORD: opcodes("9a c2 c8 ca ea"),
    FULL: {i for i in LOW if i & 7 == 5}
    | opcodes("68 69 81 9a a0-a3 a9 b8-bf c7 e8-ea f7"),
    PREFIX: PREFIXES,
    TEST: opcodes("f6 f7"),
}
TWO = {
    MODRM: opcodes("0-4 a c-2f 38-76 78-7f a3-a7 ab-c7 d0-ff 90-9f"),
    BYTE: opcodes("70-73 a4 ac ba c2 c4-c6"),
    WORD: set(),
    FULL: opcodes("80-8f"),
    TEST: set(),
}


class Code:
    """The present instruction and those before it."""

    def __init__(self):
        self.before = [0, 0, 0, 0]
        self.values = {}
        self.restart()

    def restart(self):
        self.part = self.left = self.opcode = self.modrm = self.prefix = self.value = 0
        self.narrow, self.form = False, set()

    def operation(self):
        return self.opcode << 8 | self.modrm

    def add(self, b):
        if self.left == 1:
            self.values[self.place()] = (self.value << 8 | b) & U32
        if self.step(b):
            self.before = [self.operation(), *self.before[:3]]
            self.restart()

    def step(self, b):
        """Takes a byte; whether the instruction ends."""
        if self.part == 0 and b == 0x0F:
            self.opcode, self.part = 256, 1
            return False
        if self.part == 0:
            self.form = {form for form, members in ONE.items() if b in members}
            if PREFIX in self.form:
                self.prefix = b
                self.narrow = self.narrow or b == 0x66
                return False
            self.opcode = b
            return self.after_opcode()
        if self.part == 1:
            self.form = {form for form, members in TWO.items() if b in members}
            self.opcode = 256 + b
            return self.after_opcode()
        if self.part == 2:
            self.modrm = b
            if TEST in self.form and b & 0x30:
                self.form = {MODRM}
            if b >> 6 != 3 and b & 7 == 4:
                self.part = 3
                return False
            return self.displacement(b & 0xC7 == 5)
        if self.part == 3:
            return self.displacement(self.modrm >> 6 == 0 and b & 7 == 5)
        self.value = (self.value << 8 | b) & U32
        self.left -= 1
        return self.left == 0 and (self.part == 5 or self.immediate())

    def after_opcode(self):
        if MODRM in self.form:
            self.part = 2
            return False
        return self.immediate()

    def displacement(self, absolute):
        self.left = [4 if absolute else 0, 1, 4, 0][self.modrm >> 6]
        if self.left == 0:
            return self.immediate()
        self.part = 4
        return False

    def immediate_length(self):
        full = 2 if self.narrow else 4
        return (BYTE in self.form) + 2 * (WORD in self.form) + full * (FULL in self.form)

    def immediate(self):
        self.left = self.immediate_length()
        self.value, self.part = 0, 5
        return self.left == 0

    def address(self):
        """Which address begins with the next byte: its kind, and what comes after it."""
        if self.left != 4:
            return None
        if self.part == 5 and (self.opcode in (0xE8, 0xE9) or 0x180 <= self.opcode <= 0x18F):
            return NEAR, 0
        if self.part == 4 and self.modrm & 0xC7 == 5:
            return RIP, self.immediate_length()
        return None

    def so_far(self):
        return self.part << 27 | self.left << 24 | self.operation()

    def known_value(self):
        return (self.value + (self.prefix << 24)) & U32

    def place(self):
        return (self.operation() * 0x9E3779B1 & U32) >> 20

    def row(self):
        """What chooses a row of the weight set `classes`."""
        return (self.so_far() >> 24) << 6 | self.before[0] >> 8 & 63

    def parts(self, name):
        """What a context joins, or `None` if it is none of code."""
        s, v = self.so_far(), self.known_value()
        if name in ("code0", "code1", "code2", "code3"):
            return [s, v, *self.before[: int(name[4:])]]
        if name in ("codes2", "codes3", "codes4"):
            return [s, v, *(b >> 8 for b in self.before[: int(name[5:])])]
        if name == "operand":
            return [s & ~0xF8, v]
        if name == "again":
            return [s, v, self.values.get(self.place(), 0)]
        if name == "opcode":
            return [s >> 8, self.before[0]]
        return None


def number(data):
    """Of the first three bytes."""
    return int.from_bytes(data[:3], "little")


def is_address(data):
    """Whether four bytes may be one."""
    return len(data) == 4 and data[3] in (0, 0xFF)


class Shifts:
    """What a match model knows of addresses (§15)."""

    def __init__(self):
        self.pages, self.last, self.left = {}, [0, 0], 0

    def begin(self, kind, source):
        """An address begins that was these bytes in the earlier code."""
        if is_address(source):
            self.kind, self.earlier, self.left = kind, number(source), 4
            shift = self.pages.get(self.earlier >> 12, self.last[kind])
            moved = (self.earlier + shift) % (1 << 24)
            self.expected = moved.to_bytes(3, "little") + source[3:]

    def step(self, data):
        """After a byte."""
        if self.left:
            self.left -= 1
            if self.left == 0:
                shift = (number(data[-4:]) - self.earlier) % (1 << 24)
                self.pages[self.earlier >> 12] = self.last[self.kind] = shift


def relative(data, addresses):
    """Makes addresses relative again (§11); whether there were any."""
    return read(data, addresses == 2) if addresses else scanned(data)


def scanned(data):
    """Those behind bytes that look like opcodes."""
    data, changed = bytearray(data), False
    for i in range(1, len(data) - 3):
        before = data[i - 1]
        jump = i >= 2 and data[i - 2] == 0x0F and 0x80 <= before <= 0x8F
        if (before in (0xE8, 0xE9) or jump) and is_address(data[i : i + 4]):
            address = number(data[i : i + 3]) - i
            data[i : i + 3] = (address % (1 << 24)).to_bytes(3, "little")
            changed = True
    return bytes(data), changed


def read(data, with_rip):
    """Those of instructions, with those relative to RIP or without."""
    data, code, i, origin, changed = bytearray(data), Code(), 0, 0, False
    while i < len(data):
        kind, after = code.address() or (None, 0)
        ahead = 1
        if (kind == NEAR or kind == RIP and with_rip) and is_address(data[i : i + 4]):
            address = number(data[i : i + 4]) - (i - origin + 4 + after)
            data[i : i + 3] = (address % (1 << 24)).to_bytes(3, "little")
            ahead, changed = 4, True
        for _ in range(ahead):
            code.add(data[i])
            i += 1
            if data[max(i - 7, 0) : i] in BEGINNINGS:
                origin = i - 7
    return bytes(data), changed
