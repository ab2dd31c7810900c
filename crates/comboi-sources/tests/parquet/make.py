"""Makes the Parquet files beside it, and `written_by_pyarrow.parquet` of comboi-engine's tests. Run with pyarrow 26.0.1."""

import base64
import datetime
from decimal import Decimal
from pathlib import Path
import struct
import uuid

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

HERE = Path(__file__).parent
ENGINE = HERE.parents[1].parent / "comboi-engine/tests/parquet"


def write(name, columns, **options):
    table = pa.table({key: pa.array(values, of) for key, (of, values) in columns.items()})
    pq.write_table(table, HERE / f"{name}.parquet", store_schema=False, **options)


# Decimals of more than 38 digits, alone and within other types, beside a column of each kind that stays as it is.
write("decimals", {
    "id": (pa.int64(), [1, 2, 3]),
    "a": (pa.decimal256(40, 2), [Decimal("1234.56"), Decimal("-0.01"), None]),
    "most": (pa.decimal256(76, 38), [Decimal("9" * 38 + "." + "9" * 38), Decimal("-" + "9" * 38 + "." + "9" * 38), Decimal(0)]),
    "l": (pa.list_(pa.decimal256(39, 0)), [[Decimal("1" + "0" * 38), None], [], None]),
    "s": (pa.struct([("d", pa.decimal256(41, 1)), ("t", pa.string())]), [{"d": Decimal("-2.5"), "t": "x"}, {"d": None, "t": None}, None]),
    "m": (pa.map_(pa.string(), pa.decimal256(40, 2)), [[("k", Decimal("7.00"))], [], None]),
    "fits": (pa.decimal128(38, 10), [Decimal("9999999999999999999999999999.9999999999"), Decimal("-0.0000000001"), None]),
    "u": (pa.uuid(), [uuid.UUID(int=5).bytes, None, None]),
    "at": (pa.timestamp("us", "UTC"), [0, 1, None]),
    "day": (pa.date32(), [0, -1, None]),
    "big": (pa.uint64(), [2**64 - 1, 0, None]),
    "f": (pa.float32(), [-0.0, float("nan"), 1.5]),
})
# Pages with checksums, compressed and not, with dictionaries and without.
numbers = {"id": (pa.int32(), list(range(500))), "t": (pa.string(), [f"text {i % 7}" for i in range(500)])}
write("checksums", numbers, write_page_checksum=True, compression="none", use_dictionary=["t"])
write("checksums_v2", numbers, write_page_checksum=True, data_page_version="2.0")
# An encoding of whole numbers that DuckDB does not read.
write("split", {"i": (pa.int32(), [1, -2, None]), "b": (pa.binary(3), [b"abc", b"\x00\xff\\", None])},
      use_dictionary=False, column_encoding={"i": "BYTE_STREAM_SPLIT", "b": "BYTE_STREAM_SPLIT"})
# Times with and without digits below a microsecond.
write("nanos_int96", {"at": (pa.timestamp("ns"), [0, 1500])}, use_deprecated_int96_timestamps=True)
write("micros_int96", {"at": (pa.timestamp("ns"), [0, -1000, 1_000_000_000_001_000])}, use_deprecated_int96_timestamps=True)
write("nanos_time", {"t": (pa.time64("ns"), [0, 86_399_999_999_999])})
write("micros_time", {"t": (pa.time64("ns"), [1000, 86_399_999_999_000])})
write("nanos_utc", {"l": (pa.list_(pa.timestamp("ns", "UTC")), [[0], [1]])})
write("micros_utc", {"at": (pa.timestamp("ns", "UTC"), [0, -1000])})

# What GeoParquet's metadata says of a column of bytes is wrong.
point = struct.pack("<BIdd", 1, 1, 1.0, 2.0)
geo = pa.table({"geometry": pa.array([point, None], pa.binary())})
pq.write_table(geo.replace_schema_metadata({"geo": '{"version":"1.0.0","primary_column":"geometry","columns":{"geometry":{"encoding":"WKB"}}}'}),
               HERE / "geoparquet.parquet", store_schema=False)

# Encrypted, with a footer that is and one that is not.


class Kms(pe.KmsClient):
    def __init__(self, _config):
        pe.KmsClient.__init__(self)

    def wrap_key(self, key, _id):
        return base64.b64encode(key)

    def unwrap_key(self, key, _id):
        return base64.b64decode(key)


factory = pe.CryptoFactory(Kms)
for name, plain in (("encrypted", False), ("encrypted_columns", True)):
    config = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["secret"]}, plaintext_footer=plain)
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
    write(name, {"id": (pa.int32(), [1]), "secret": (pa.string(), ["x"])}, encryption_properties=properties)

# Values of every type that the lake keeps, in row groups of 9 rows, with Bloom filters.
zeros = [-0.0, 1.5, float("nan"), None, float("inf")]
values = {
    "bool": (pa.bool_(), [True, False]),
    "i8": (pa.int16(), [-128, 127, 0]),
    "i32": (pa.int32(), [-2**31, 2**31 - 1, 0]),
    "i64": (pa.int64(), [-2**63, 2**63 - 1, 0]),
    "f16": (pa.float16(), [-0.0, 1.5, float("nan"), None]),
    "f32": (pa.float32(), zeros),
    "f64": (pa.float64(), zeros),
    "d": (pa.decimal128(18, 2), [Decimal("1.23"), Decimal("-0.01"), Decimal("0.00")]),
    "d38": (pa.decimal128(38, 3), [Decimal("1.230"), Decimal("-99999999999999999999999999999999999.999")]),
    "text": (pa.string(), ["", "a", "é\\x00", "\0"]),
    "blob": (pa.binary(), [b"", b"\\x00", b"\x00\x03", b"\xff\xfe", b"abc", b"\xc3\xa9", b"\\", b"'", None]),
    "fixed": (pa.binary(3), [b"abc", b"\x00\xff\\", b"\\x0"]),
    "day": (pa.date32(), [datetime.date(2020, 1, 1), datetime.date(1, 1, 1)]),
    "at": (pa.timestamp("us", "UTC"), [1, -1, 1_000_000]),
}
rows = 63
table = pa.table({key: pa.array([v[i % len(v)] for i in range(rows)], of) for key, (of, v) in values.items()})
bloom = {key: {"ndv": 16, "fpp": 0.01} for key in values if key != "bool"}
pq.write_table(table, ENGINE / "written_by_pyarrow.parquet", store_schema=False, row_group_size=9, bloom_filter_options=bloom)

# Names that differ in case only, and with blanks.
names = pa.struct([("x y", pa.int64()), ("p", pa.int64()), ("P", pa.int64())])
write("names", {"a": (pa.int64(), [1]), "A": (pa.int64(), [2]), "o": (pa.list_(names), [[{"x y": 3, "p": 4, "P": 5}]])})
write("names_alone", {"A": (pa.int64(), [6]), "o": (pa.list_(pa.struct([("P", pa.int64())])), [[{"P": 7}]])})

# Dates and times that no type of DuckDB has, and infinities; the last row is sound.
least, day = -2**63, 24 * 60 * 60 * 1_000_000
rows = {
    "at": (pa.timestamp("us"), [least, 0, 0, 0, 0, 1 - 2**63, 0]),
    "utc": (pa.timestamp("us", "UTC"), [0, least, 0, 0, 0, 0, 0]),
    "day": (pa.date32(), [0, 0, -2**31, 0, 0, 0, 0]),
    "t": (pa.time64("us"), [0, 0, 0, 30 * day, 0, 0, day - 1]),
}
at = pa.array([0, 0, 0, 0, 2**63 - 1, 0, 0], pa.int64()).view(pa.timestamp("us"))
nested = pa.ListArray.from_arrays(pa.array(range(8), pa.int32()), at)
bits = {"day": pa.int32()}
flat = {key: pa.array(v, bits.get(key, pa.int64())).view(of) for key, (of, v) in rows.items()}
pq.write_table(pa.table({**flat, "l": nested}), HERE / "beyond.parquet", store_schema=False)
millis = pa.array([0, 10**16], pa.int64()).view(pa.timestamp("ms"))
pq.write_table(pa.table({"at": millis}), HERE / "beyond_ms.parquet", store_schema=False)

# Keys that are the same number.
write("map_keys", {"m": (pa.map_(pa.string(), pa.int64()), [[("1", 1), ("1.0", 2)], [("2", 3)]])})
