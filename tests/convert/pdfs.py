"""Small PDFs, made here."""

from __future__ import annotations

import base64
import io
import zlib

from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def pdf(*pages: str) -> bytes:
    """A PDF with one line on each page."""
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(width=200, height=200)
        fonts = DictionaryObject({NameObject("/F1"): writer._add_object(font)})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 10 100 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    buffer = io.BytesIO()
    writer.write(buffer)
    return buffer.getvalue()


def slow_pdf(first: str) -> bytes:
    """A good first page, and others that say nothing in a million operations each: little to send, minutes to read."""
    work = zlib.compress(b"BT /F1 12 Tf " + b"() Tj " * 500_000 + b"ET", 9)
    pages = 100
    objects: list[bytes] = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(b"%d 0 R" % (6 + page) for page in range(pages)), pages),
        _stream(b"", f"BT /F1 12 Tf ({first}) Tj ET".encode()),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        _stream(b"/Filter/FlateDecode", work),
    ]
    head = b"<</Type/Page/Parent 2 0 R/Resources<</Font<</F1 4 0 R>>>>/MediaBox[0 0 9 9]"
    objects += [head + b"/Contents %d 0 R>>" % (5 if page else 3) for page in range(pages)]
    return _written(objects)


def odd_pdf(*codes: str) -> bytes:
    """One page whose font says which UTF-16 units (hex) its characters stand for."""
    text = "".join(f"{number:04x}" for number in range(1, len(codes) + 1))
    units = " ".join(f"<{number:04x}> <{code}>" for number, code in enumerate(codes, 1))
    spaces = "1 begincodespacerange <0000> <ffff> endcodespacerange"
    names = f"begincmap {spaces} {len(codes)} beginbfchar {units} endbfchar endcmap"
    font = "/Type /Font /Subtype /Type0 /BaseFont /F /Encoding /Identity-H /DescendantFonts [6 0 R] /ToUnicode 7 0 R"
    page = "/Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /Font << /F 5 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< {page} >>".encode(),
        _stream(b"", f"BT /F 9 Tf <{text}> Tj ET".encode()),
        f"<< {font} >>".encode(),
        b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /F /DW 500 >>",
        _stream(b"", names.encode()),
    ]
    return _written(objects)


def _written(objects: list[bytes]) -> bytes:
    out = b"%PDF-1.4\n"
    table = b""
    for number, content in enumerate(objects, 1):
        table += b"%010d 00000 n \n" % len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    size = len(objects) + 1
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (size, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n%s%s" % (size, table, end)


def _stream(members: bytes, content: bytes) -> bytes:
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (members, len(content), content)


def in_base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
