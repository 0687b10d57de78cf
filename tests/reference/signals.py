"""Sounds and pictures: where samples are, what is near them, and how they come back (§11.2, §14.2, §14.3)."""

from container import Bad

U32 = 0xFFFFFFFF
ONE = 1 << 16


def signed(value, width):
    """A two's complement number of so many bytes."""
    half = 1 << (8 * width - 1)
    return (value + half) % (2 * half) - half


class Region:
    def __init__(self, start, length, flags, used, stride):
        self.start, self.length, self.used, self.stride = start, length, used, stride
        self.width = (flags & 3) + 1
        self.order = "big" if flags & 4 else "little"
        self.channels = (flags >> 3 & 7) + 1
        self.step = self.width * self.channels
        self.is_picture = bool(flags & 64)
        self.is_bilevel = bool(flags & 128)
        if self.is_bilevel and (flags != 0xC0 or used != stride):
            raise Bad("a list of samples")
        if self.width > 3 or length == 0:
            raise Bad("a list of samples")
        if self.is_picture:
            if used == 0 or used % self.step:
                raise Bad("a list of samples")
            whole = min(length % stride, used)
        else:
            whole = length
        if whole % self.width:
            raise Bad("a list of samples")
        self.is_signed = not self.is_picture and self.width > 1

    def place(self, offset):
        """The sample a byte belongs to: its offset, channel, column, row; `None` if it is none."""
        row, inside = divmod(offset, self.stride) if self.is_picture else (0, offset)
        if self.is_picture and inside >= self.used:
            return None
        lane = inside % self.width
        return offset - lane, inside % self.step // self.width, inside // self.step, row

    def get(self, data, offset):
        at = self.start + offset
        value = int.from_bytes(data[at : at + self.width], self.order)
        return signed(value, self.width) if self.is_signed else value

    def put(self, data, offset, value):
        at, modulus = self.start + offset, 1 << (8 * self.width)
        data[at : at + self.width] = (value % modulus).to_bytes(self.width, self.order)

    def difference(self, data, offset):
        at = self.start + offset
        return signed(int.from_bytes(data[at : at + self.width], "big"), self.width)

    def range(self):
        every = 1 << (8 * self.width)
        return (-every // 2, every // 2 - 1) if self.is_signed else (0, every - 1)


def take_regions(varint, byte, raw_length, is_bilevel):
    """The list that a payload goes on with; `varint` and `byte` give its next number."""
    count = varint()
    found, end = [], 0
    if count > min(raw_length, 1 << 16):
        raise Bad("a list of samples")
    for _ in range(count):
        gap, length, flags = varint(), varint(), byte()
        used = more = 0
        if flags & 64:
            used, more = varint(), varint()
        found.append(Region(end + gap, length, flags, used, used + more))
        end += gap + length
        if end > raw_length or max(used, more) > raw_length or found[-1].is_bilevel != is_bilevel:
            raise Bad("a list of samples")
    return found


# ---- the filters (§11.2)

AROUND = (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (1, -2), (1, 2), (2, -1), (2, 1), (0, 3), (3, 0), (2, -2)


def clamp(value, low, high):
    return max(low, min(high, value))


def toward_zero(a, b):
    return a // b if a >= 0 else -(-a // b)


class Signs:
    def __init__(self, n):
        self.weights, self.inputs, self.signs, self.mean = [0] * n, [0] * n, [0] * n, 0

    def predict(self):
        total = sum(w * x for w, x in zip(self.weights, self.inputs))
        return clamp((total + 512) >> 10, -(1 << 26), 1 << 26)

    def learn(self, value, missed):
        direction = (missed > 0) - (missed < 0)
        self.weights = [w + direction * s for w, s in zip(self.weights, self.signs)]
        size = abs(value)
        times = 4 if size > 3 * self.mean else 2 if size > 4 * self.mean // 3 else 1
        self.inputs = [value, *self.inputs[:-1]]
        self.signs = [times * ((value > 0) - (value < 0)), *self.signs[:-1]]
        self.mean += toward_zero(size - self.mean, 16)


class Channel:
    def __init__(self, is_picture):
        self.weights = [ONE, -ONE] + [0] * 22 if is_picture else [0] * 24
        self.second, self.third = Signs(32), Signs(16)


def picture_inputs(region, data, place):
    offset, channel, column, row = place
    inputs = [0] * 24
    if column == 0 and row == 0:
        return 0, inputs
    back = region.step if column else region.stride
    base = region.get(data, offset - back)
    columns = region.used // region.step
    for k, (up, left) in enumerate(AROUND):
        if 0 <= column - left < columns and up <= row:
            inputs[k] = region.get(data, offset - up * region.stride - left * region.step) - base
    for i in range(min(channel, 2)):
        at = offset - (i + 1) * region.width
        before = region.get(data, at - back)
        k = 12 + 3 * i
        inputs[k] = region.get(data, at) - before
        if row:
            inputs[k + 1] = region.get(data, at - region.stride) - before
        if row and column:
            inputs[k + 2] = region.get(data, at - region.stride - region.step) - before
    return base, inputs


def sound_inputs(region, data, place):
    offset, channel, column, _ = place
    if column == 0:
        return 0, [0] * 24

    def steps(at, moments, most):
        values = [region.get(data, at - i * region.step) for i in range(min(moments, most) + 1)]
        found = [a - b for a, b in zip(values, values[1:])]
        return found + [0] * (most - len(found))

    own = steps(offset - region.step, column - 1, 16)
    if channel:
        other = steps(offset - region.width, column, 8)
    elif region.channels > 1:
        other = steps(offset - region.width, column - 1, 8)
    else:
        other = [0] * 8
    return region.get(data, offset - region.step), own + other


def restore(data, region):
    """Makes the samples of a region of their differences."""
    channels = [Channel(region.is_picture) for _ in range(region.channels)]
    low, high = region.range()
    for offset in range(region.length):
        place = region.place(offset)
        if place is None or place[0] != offset:
            continue
        channel = channels[place[1]]
        look = picture_inputs if region.is_picture else sound_inputs
        base, inputs = look(region, data, place)
        total = sum(w * x for w, x in zip(channel.weights, inputs))
        first = clamp((total + ONE // 2) >> 16, -(1 << 26), 1 << 26)
        second = third = 0
        if not region.is_picture:
            second, third = channel.second.predict(), channel.third.predict()
        expected = clamp(base + first + second + third, low, high)
        region.put(data, offset, expected + region.difference(data, offset))
        target = region.get(data, offset) - base
        energy = sum(x * x for x in inputs) + 300
        step = toward_zero(((target << 16) - total) << 12, energy)
        channel.weights = [
            clamp(w + ((step * x + ONE // 2) >> 16), -16 * ONE, 16 * ONE)
            for w, x in zip(channel.weights, inputs)
        ]
        if not region.is_picture:
            channel.second.learn(target - first, target - first - second)
            channel.third.learn(target - first - second, target - first - second - third)


# ---- what contexts see (§14.2)


def magnitude(v):
    if v < 8:
        return v
    octave = v.bit_length() - 1
    return 4 * (octave - 1) + (v >> (octave - 2) & 3)


def coarse(v):
    return (v + 1).bit_length() - 1


def with_sign(v):
    return magnitude(abs(v)) * 2 + (v < 0)


NAMES = (
    "level wide long longer west wests north corners across acrosses mean peak signs lane".split()
)
WIDER = (0, 2), (2, 0)
LONGER = (0, 3), (0, 4), (1, 2), (1, -2), (1, 3), (1, -3), (2, 1), (2, -1)


class Near:
    """What is near the next byte."""

    def __init__(self, all_regions):
        self.regions = all_regions
        self.place = None
        self.look(b"")

    def look(self, data):
        self.place = None
        n = len(data)
        inside = [r for r in self.regions if r.start <= n < r.start + r.length]
        place = inside[0].place(n - inside[0].start) if inside else None
        if place is None:
            return
        region = inside[0]
        offset, channel, column, row = place
        lane = n - region.start - offset
        known = 1
        for b in data[n - lane : n]:
            known = known << 8 | b
        self.place = ((known << 3 | channel) << 2 | lane) & U32
        self.lane = lane

        def get(up, left):
            inside = 0 <= column - left < region.used // region.step and up <= row
            at = offset - up * region.stride - left * region.step
            return region.difference(data, at) if inside else 0

        def before(moments):
            at = offset - moments * region.step
            return region.difference(data, at) if moments <= column else 0

        across = [
            region.difference(data, offset - i * region.width) if channel >= i else 0
            for i in (1, 2)
        ]
        if region.is_picture:
            near = [get(0, 1), get(1, 0), get(1, 1), get(1, -1)]
            level = sum(map(abs, near))
            wide = level + sum(abs(get(*at)) for at in WIDER) + 2 * abs(across[0]) + abs(across[1])
            long = wide + sum(abs(get(*at)) for at in LONGER)
        else:
            moments = [before(i) for i in range(1, 33)]
            near = moments[:4]
            level = sum(map(abs, near))
            wide = level + sum(map(abs, moments[4:12])) + 2 * abs(across[0])
            long = level + sum(map(abs, moments[4:]))
        self.around, self.level, self.wide, self.long = [*near, *across], level, wide, long

    def row(self):
        """What chooses a row of the weight set `classes`; `None` outside regions."""
        if self.place is None:
            return None
        return self.lane << 10 | min(magnitude(self.level) // 2, 31) << 5 | min(magnitude(self.long) // 2, 31)

    def parts(self, name, last):
        """What a context joins, or `None` if it is none of signals."""
        if name not in NAMES:
            return None
        if self.place is None:
            return [last & U32 >> 8 * (NAMES.index(name) % 4)]
        west, north, north_west, north_east, across, across_2 = self.around
        pair = lambda a, b: with_sign(a) << 8 | with_sign(b)
        level = coarse(self.level)
        signs = 0
        for v in self.around:
            signs = 3 * signs + (v > 0) - (v < 0) + 1
        values = {
            "level": [magnitude(self.level)],
            "wide": [magnitude(self.wide) << 8 | level],
            "long": [magnitude(self.long)],
            "longer": [magnitude(self.long) << 8 | level],
            "west": [west & U32],
            "wests": [pair(west, north)],
            "north": [north & U32],
            "corners": [pair(north_west, north_east), coarse(abs(west))],
            "across": [across & U32, level],
            "acrosses": [pair(across, across_2), level],
            "mean": [with_sign(sum(self.around[:4]) >> 1) << 8 | coarse(self.wide)],
            "peak": [magnitude(max(abs(west), abs(north), abs(across))) << 8 | coarse(self.long)],
            "signs": [signs << 8 | level],
            "lane": [],
        }
        return [self.place, *values[name]]


# ---- bilevel pictures (§14.3)


def numbers_of(name):
    """The numbers of a template, or `None` if it is none."""
    if name[0] != "p" or not name[1:2].isdigit():
        return None
    return [int(n) for n in name[1:].split(".")]


class Pixels:
    """What is near the next bits of a bilevel picture."""

    def __init__(self, regions):
        self.regions = regions
        self.look(b"")

    def look(self, data):
        self.data, n = data, len(data)
        here = [r for r in self.regions if r.start <= n < r.start + r.length]
        self.region = here[0] if here else None

    def pixels(self, row, start, count):
        """So many pixels of a row above (of this one: 0) from a number of pixels of the byte on."""
        value = 0
        for x in range(start, start + count):
            at = len(self.data) + (x >> 3) - row * self.region.stride
            byte = self.data[at] if self.region.start <= at < len(self.data) else 0
            value = value << 1 | byte >> (7 - (x & 7)) & 1
        return value

    def left(self, partial, count):
        known = partial.bit_length() - 1
        value = int.from_bytes(self.data[-8:], "big") << known | partial ^ 1 << known
        return value & (1 << count) - 1

    def parts(self, name, partial, last):
        """What a template joins, or `None` if it is none."""
        numbers = numbers_of(name)
        if numbers is None:
            return None
        left, *reaches = numbers
        if self.region is None:
            return [last & (1 << 8 * min(len(reaches), 4)) - 1]
        at = partial.bit_length() - 1
        rows = [self.pixels(u + 1, at - r, 4 + 2 * r) for u, r in enumerate(reaches)]
        return [self.left(partial, left), *rows]

    def before(self, partial):
        """What stands for the two bytes before; `None` outside regions."""
        if self.region is None:
            return None
        at = partial.bit_length() - 1
        return self.pixels(1, at - 3, 8), self.pixels(2, at - 2, 5) << 3 | self.left(partial, 3)

    def row(self, partial):
        """What chooses a row of the weight set `classes`; `None` outside regions."""
        if self.region is None:
            return None
        at = partial.bit_length() - 1
        return self.left(partial, 4) << 8 | self.pixels(1, at - 2, 5) << 3 | self.pixels(2, at - 1, 3)
