"""The tests, whose exact figures are those of any x86-64 CPU with AVX2, if it runs Linux."""

from twotower.common.portable import pin

pin()  # before a test loads numpy
