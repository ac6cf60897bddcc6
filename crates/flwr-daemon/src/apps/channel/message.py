# Messages of protobuf. Most of a large message is one field of bytes. Such a field is written and
# read here: protobuf would copy it twice, and the framework knows no other way to it.


def varint(number):
    text = bytearray()
    while number > 0x7F:
        text.append(number & 0x7F | 0x80)
        number >>= 7
    text.append(number)
    return bytes(text)


def read_varint(text, at):
    number = shift = 0
    while True:
        byte = text[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at


def is_repeated(field):
    repeated = getattr(field, "is_repeated", None)
    return field.label == field.LABEL_REPEATED if repeated is None else repeated


def is_one(field):
    """Whether the field is there once, with bytes in it."""
    return field.type == field.TYPE_BYTES and not is_repeated(field)


def parts_of(message, serialize):
    """The encoded message, in parts."""
    if serialize is None:
        return (message,)
    fields = getattr(getattr(message, "DESCRIPTOR", None), "fields", ())
    large = next((field for field in fields if is_one(field)), None)
    plain = not any(is_repeated(field) or field.containing_oneof for field in fields)
    if large is None or not plain:
        return (serialize(message),)
    content = getattr(message, large.name)
    if len(content) <= INLINE:
        return (serialize(message),)
    rest = type(message)()
    for field in fields:
        if field.has_presence and not message.HasField(field.name):
            continue
        if field.message_type is not None:
            getattr(rest, field.name).CopyFrom(getattr(message, field.name))
        elif field is not large:
            setattr(rest, field.name, getattr(message, field.name))
    return serialize(rest), varint(large.number << 3 | 2) + varint(len(content)), content


class Parsed:
    """A message, but for a field that was read beside it."""

    def __init__(self, message, name, value):
        self.__message = message
        setattr(self, name, value)

    def __getattr__(self, name):
        return getattr(self.__message, name)


def parse(body, deserialize):
    """The message of a body."""
    if deserialize is None:
        return body.read()
    descriptor = getattr(getattr(deserialize, "__self__", None), "DESCRIPTOR", None)
    found = find_large(body, descriptor) if body.file is not None and descriptor else None
    if found is None:
        return deserialize(body.read())
    name, begin, at, end = found
    message = deserialize(body.read(0, begin) + body.read(end))
    return Parsed(message, name, body.read(at, end - at))


def find_large(body, descriptor):
    """The name of a large field of bytes, and where the field, its content and its end are; where the
    message begins otherwise than that this is plain, `None`."""
    head, at = body.read(0, 1 << 12), 0
    while at < len(head) - 20:
        begin = at
        key, at = read_varint(head, at)
        if key & 7 == 0:
            _, at = read_varint(head, at)
        elif key & 7 == 2:
            size, at = read_varint(head, at)
            field = descriptor.fields_by_number.get(key >> 3)
            if size > INLINE:
                end = at + size
                is_plain = field is not None and is_one(field) and body.size - end < INLINE
                return (field.name, begin, at, end) if is_plain else None
            at += size
        else:
            return None
    return None
