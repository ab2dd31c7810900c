//! SQL Server's types and values on the wire: MS-TDS 2.2.5.4 (types), 2.2.7.4 (COLMETADATA), 2.2.7.19 (ROW), 2.2.7.15 (NBCROW).

/// A type as a column has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `bit`
    Bit,
    /// `tinyint`
    TinyInt,
    /// `smallint`
    SmallInt,
    /// `int`
    Int,
    /// `bigint`
    BigInt,
    /// `real`
    Real,
    /// `float`
    Float,
    /// Precision and scale.
    Decimal(u8, u8),
    /// `money`
    Money,
    /// `smallmoney`
    SmallMoney,
    /// `date`
    Date,
    /// Digits of a second, as for the two below.
    Time(u8),
    /// `datetime`
    DateTime,
    /// `smalldatetime`
    SmallDateTime,
    /// `datetime2`
    DateTime2(u8),
    /// `datetimeoffset`
    DateTimeOffset(u8),
    /// `uniqueidentifier`
    Uuid,
    /// `varchar(n)` with a collation; 0 for `max`.
    VarChar(u16, Collation),
    /// `char(n)`
    Char(u16, Collation),
    /// `nvarchar(n)`; 0 for `max`.
    NVarChar(u16),
    /// `nchar(n)`
    NChar(u16),
    /// `text`
    Text(Collation),
    /// `ntext`
    NText,
    /// `binary(n)`
    Binary(u16),
    /// `varbinary(n)`; 0 for `max`.
    VarBinary(u16),
    /// `image`
    Image,
    /// `rowversion`
    Rowversion,
    /// `xml`
    Xml,
}

/// How a text that is not Unicode is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collation {
    /// `Latin1_General_CI_AS`: code page 1252.
    Latin1,
    /// `Latin1_General_100_CI_AS_SC_UTF8`
    Utf8,
    /// `SQL_Latin1_General_CP850_CI_AS`: code page 850, by its sort id.
    Cp850,
    /// `Japanese_CI_AS`: code page 932.
    Japanese,
}

impl Collation {
    /// The language and flags, and the sort id (2.2.5.1.2).
    fn bytes(self) -> [u8; 5] {
        let (info, sort): (u32, u8) = match self {
            Self::Latin1 => (0x0409 | (0xd0 << 16), 0),
            Self::Utf8 => (0x0409 | (0x0400_0000) | (0x2 << 28), 0),
            Self::Cp850 => (0x0409 | (0xd0 << 16), 42),
            Self::Japanese => (0x0411 | (0xd0 << 16), 0),
        };
        let mut bytes = [0; 5];
        bytes[..4].copy_from_slice(&info.to_le_bytes());
        bytes[4] = sort;
        bytes
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL
    Null,
    /// `bit`
    Bit(bool),
    /// Whole numbers.
    Int(i64),
    /// `real`
    Real(f32),
    /// `float`
    Float(f64),
    /// A decimal, in units of its last digit.
    Decimal(i128),
    /// `money` and `smallmoney`, in ten-thousandths.
    Money(i64),
    /// Days since 0001-01-01.
    Date(i64),
    /// Hundreds of nanoseconds since midnight.
    Time(u64),
    /// Days since 1900-01-01 and three-hundredths of a second.
    DateTime(i32, u32),
    /// Days since 1900-01-01 and minutes.
    SmallDateTime(u16, u16),
    /// Hundreds of nanoseconds since 0001-01-01.
    DateTime2(i64),
    /// The same in Greenwich, and minutes east of it.
    DateTimeOffset(i64, i16),
    /// In the order of its text.
    Uuid([u8; 16]),
    /// A text.
    Text(String),
    /// A text as it is on the wire, whatever that means.
    Raw(Vec<u8>),
    /// Bytes.
    Bytes(Vec<u8>),
}

const DAY: i64 = 864_000_000_000;

impl Type {
    /// As SQL Server calls it.
    pub fn name(self) -> String {
        let max = |name: &str, n: u16| match n {
            0 => format!("{name}(max)"),
            n => format!("{name}({n})"),
        };
        match self {
            Self::Bit => "bit".into(),
            Self::TinyInt => "tinyint".into(),
            Self::SmallInt => "smallint".into(),
            Self::Int => "int".into(),
            Self::BigInt => "bigint".into(),
            Self::Real => "real".into(),
            Self::Float => "float".into(),
            Self::Decimal(p, s) => format!("decimal({p},{s})"),
            Self::Money => "money".into(),
            Self::SmallMoney => "smallmoney".into(),
            Self::Date => "date".into(),
            Self::Time(n) => format!("time({n})"),
            Self::DateTime => "datetime".into(),
            Self::SmallDateTime => "smalldatetime".into(),
            Self::DateTime2(n) => format!("datetime2({n})"),
            Self::DateTimeOffset(n) => format!("datetimeoffset({n})"),
            Self::Uuid => "uniqueidentifier".into(),
            Self::VarChar(n, _) => max("varchar", n),
            Self::Char(n, _) => max("char", n),
            Self::NVarChar(n) => max("nvarchar", n),
            Self::NChar(n) => max("nchar", n),
            Self::Text(_) => "text".into(),
            Self::NText => "ntext".into(),
            Self::Binary(n) => max("binary", n),
            Self::VarBinary(n) => max("varbinary", n),
            Self::Image => "image".into(),
            Self::Rowversion => "timestamp".into(),
            Self::Xml => "xml".into(),
        }
    }

    /// Its `TYPE_INFO`.
    fn write_info(self, out: &mut Vec<u8>) {
        let mut sized = |id: u8, size: u8| out.extend([id, size]);
        match self {
            Self::Bit => sized(0x68, 1),
            Self::TinyInt => sized(0x26, 1),
            Self::SmallInt => sized(0x26, 2),
            Self::Int => sized(0x26, 4),
            Self::BigInt => sized(0x26, 8),
            Self::Real => sized(0x6d, 4),
            Self::Float => sized(0x6d, 8),
            Self::Decimal(p, s) => out.extend([0x6a, 17, p, s]),
            Self::Money => sized(0x6e, 8),
            Self::SmallMoney => sized(0x6e, 4),
            Self::Date => out.push(0x28),
            Self::Time(n) => sized(0x29, n),
            Self::DateTime => sized(0x6f, 8),
            Self::SmallDateTime => sized(0x6f, 4),
            Self::DateTime2(n) => sized(0x2a, n),
            Self::DateTimeOffset(n) => sized(0x2b, n),
            Self::Uuid => sized(0x24, 16),
            Self::VarChar(n, collation) => text_info(out, 0xa7, n, collation),
            Self::Char(n, collation) => text_info(out, 0xaf, n, collation),
            Self::NVarChar(n) => text_info(out, 0xe7, n * 2, Collation::Latin1),
            Self::NChar(n) => text_info(out, 0xef, n * 2, Collation::Latin1),
            Self::Text(collation) => old_info(out, 0x23, Some(collation)),
            Self::NText => old_info(out, 0x63, Some(Collation::Latin1)),
            Self::Image => old_info(out, 0x22, None),
            Self::Binary(n) => bytes_info(out, 0xad, n),
            Self::Rowversion => bytes_info(out, 0xad, 8),
            Self::VarBinary(n) => bytes_info(out, 0xa5, n),
            // Without a schema.
            Self::Xml => out.extend([0xf1, 0]),
        }
    }

    /// Whether values come in chunks (PLP, 2.2.5.2.3).
    fn is_long(self) -> bool {
        matches!(
            self,
            Self::VarChar(0, _) | Self::NVarChar(0) | Self::VarBinary(0) | Self::Xml
        )
    }

    fn is_old(self) -> bool {
        matches!(self, Self::Text(_) | Self::NText | Self::Image)
    }

    fn is_short(self) -> bool {
        matches!(
            self,
            Self::VarChar(..)
                | Self::Char(..)
                | Self::NVarChar(_)
                | Self::NChar(_)
                | Self::Binary(_)
                | Self::VarBinary(_)
                | Self::Rowversion
        )
    }

    /// A value in a row of this column; `in_nulls` says that NULL was told elsewhere.
    fn write(self, value: &Value, out: &mut Vec<u8>) {
        if *value == Value::Null {
            match self {
                _ if self.is_long() => out.extend([0xff; 8]),
                _ if self.is_old() => out.push(0),
                _ if self.is_short() => out.extend([0xff; 2]),
                _ => out.push(0),
            }
            return;
        }
        let bytes = self.bytes(value);
        if self.is_long() {
            // In two chunks, so that nobody counts on one.
            out.extend((bytes.len() as u64).to_le_bytes());
            let (head, tail) = bytes.split_at(bytes.len() / 2);
            for chunk in [head, tail].into_iter().filter(|it| !it.is_empty()) {
                out.extend(
                    u32::try_from(chunk.len())
                        .expect("a value of a test is short")
                        .to_le_bytes(),
                );
                out.extend(chunk);
            }
            out.extend([0; 4]);
        } else if self.is_old() {
            // A pointer and a timestamp that nobody needs.
            out.push(16);
            out.extend([7; 24]);
            out.extend(
                u32::try_from(bytes.len())
                    .expect("a value of a test is short")
                    .to_le_bytes(),
            );
            out.extend(bytes);
        } else if self.is_short() {
            out.extend(
                u16::try_from(bytes.len())
                    .expect("a value fits its column")
                    .to_le_bytes(),
            );
            out.extend(bytes);
        } else {
            out.push(u8::try_from(bytes.len()).expect("a value fits its column"));
            out.extend(bytes);
        }
    }

    fn bytes(self, value: &Value) -> Vec<u8> {
        match (self, value) {
            (_, Value::Raw(bytes) | Value::Bytes(bytes)) => bytes.clone(),
            (_, Value::Bit(bit)) => vec![u8::from(*bit)],
            (Self::TinyInt, Value::Int(it)) => {
                vec![u8::try_from(*it).expect("a value fits its column")]
            }
            (Self::SmallInt, Value::Int(it)) => i16::try_from(*it)
                .expect("a value fits its column")
                .to_le_bytes()
                .into(),
            (Self::Int, Value::Int(it)) => i32::try_from(*it)
                .expect("a value fits its column")
                .to_le_bytes()
                .into(),
            (_, Value::Int(it)) => it.to_le_bytes().into(),
            (_, Value::Real(it)) => it.to_le_bytes().into(),
            (_, Value::Float(it)) => it.to_le_bytes().into(),
            (Self::Decimal(precision, _), Value::Decimal(it)) => {
                // As long as its precision, not its value, asks for (2.2.5.5.1.5).
                let length = match precision {
                    1..=9 => 4,
                    10..=19 => 8,
                    20..=28 => 12,
                    _ => 16,
                };
                let mut bytes = vec![u8::from(*it >= 0)];
                bytes.extend(&it.unsigned_abs().to_le_bytes()[..length]);
                bytes
            }
            (Self::SmallMoney, Value::Money(it)) => i32::try_from(*it)
                .expect("a value fits its column")
                .to_le_bytes()
                .into(),
            (_, Value::Money(it)) => {
                // The upper half first.
                let bytes = it.to_le_bytes();
                [&bytes[4..], &bytes[..4]].concat()
            }
            (_, Value::Date(days)) => days3(*days).into(),
            (Self::Time(digits), Value::Time(ticks)) => time(*ticks, digits),
            (_, Value::DateTime(days, ticks)) => [days.to_le_bytes(), ticks.to_le_bytes()].concat(),
            (_, Value::SmallDateTime(days, minutes)) => {
                [days.to_le_bytes(), minutes.to_le_bytes()].concat()
            }
            (Self::DateTime2(digits), Value::DateTime2(ticks)) => moment(*ticks, digits),
            (Self::DateTimeOffset(digits), Value::DateTimeOffset(ticks, minutes)) => {
                let mut bytes = moment(*ticks, digits);
                bytes.extend(minutes.to_le_bytes());
                bytes
            }
            (_, Value::Uuid(it)) => {
                // The first three groups have their lowest byte first.
                let mut bytes = *it;
                bytes[..4].reverse();
                bytes[4..6].reverse();
                bytes[6..8].reverse();
                bytes.into()
            }
            (
                Self::VarChar(_, Collation::Utf8) | Self::Char(_, Collation::Utf8),
                Value::Text(text),
            ) => text.clone().into_bytes(),
            (Self::VarChar(..) | Self::Char(..) | Self::Text(_), Value::Text(text)) => {
                assert!(
                    text.is_ascii(),
                    "a text that is not ASCII is told by its bytes, as `Raw`"
                );
                text.clone().into_bytes()
            }
            (_, Value::Text(text)) => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            (of, value) => panic!("{value:?} is no value of a column of type {}", of.name()),
        }
    }
}

fn text_info(out: &mut Vec<u8>, id: u8, size: u16, collation: Collation) {
    bytes_info(out, id, size);
    out.extend(collation.bytes());
}

fn bytes_info(out: &mut Vec<u8>, id: u8, size: u16) {
    out.push(id);
    out.extend(if size == 0 { 0xffff_u16 } else { size }.to_le_bytes());
}

fn old_info(out: &mut Vec<u8>, id: u8, collation: Option<Collation>) {
    out.push(id);
    out.extend(i32::MAX.to_le_bytes());
    out.extend(collation.iter().flat_map(|it| it.bytes()));
    // The name of the table, in one part.
    out.push(1);
    write_text16(out, "t");
}

fn days3(days: i64) -> [u8; 3] {
    let bytes = days.to_le_bytes();
    [bytes[0], bytes[1], bytes[2]]
}

/// In units of the last digit that the column has.
fn time(ticks: u64, digits: u8) -> Vec<u8> {
    let length = match digits {
        0..=2 => 3,
        3..=4 => 4,
        _ => 5,
    };
    let units = ticks / 10_u64.pow(7 - u32::from(digits));
    units.to_le_bytes()[..length].to_vec()
}

fn moment(ticks: i64, digits: u8) -> Vec<u8> {
    let mut bytes = time(ticks.rem_euclid(DAY).unsigned_abs(), digits);
    bytes.extend(days3(ticks.div_euclid(DAY)));
    bytes
}

/// A text with its length in characters, in one byte.
pub(super) fn write_text8(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().collect();
    out.push(u8::try_from(units.len()).expect("a name is short"));
    out.extend(units.iter().flat_map(|it| it.to_le_bytes()));
}

/// The same, in two bytes.
pub(super) fn write_text16(out: &mut Vec<u8>, text: &str) {
    let units: Vec<u16> = text.encode_utf16().collect();
    out.extend(
        u16::try_from(units.len())
            .expect("a text is short")
            .to_le_bytes(),
    );
    out.extend(units.iter().flat_map(|it| it.to_le_bytes()));
}

/// COLMETADATA.
pub(super) fn write_columns(out: &mut Vec<u8>, columns: &[(String, Type)]) {
    out.push(0x81);
    out.extend(
        u16::try_from(columns.len())
            .expect("a table has few columns")
            .to_le_bytes(),
    );
    for (name, of) in columns {
        let user_type: u32 = if *of == Type::Rowversion { 80 } else { 0 };
        out.extend(user_type.to_le_bytes());
        // May be NULL.
        out.extend([1, 0]);
        of.write_info(out);
        write_text8(out, name);
    }
}

/// A row: ROW, or NBCROW where that is shorter, as servers choose.
pub(super) fn write_row(out: &mut Vec<u8>, columns: &[(String, Type)], row: &[Value]) {
    let nulls = row.iter().filter(|it| **it == Value::Null).count();
    if nulls * 2 <= row.len() {
        out.push(0xd1);
        for ((_, of), value) in columns.iter().zip(row) {
            of.write(value, out);
        }
        return;
    }
    out.push(0xd2);
    let mut bits = vec![0_u8; row.len().div_ceil(8)];
    for (place, _) in row.iter().enumerate().filter(|(_, it)| **it == Value::Null) {
        bits[place / 8] |= 1 << (place % 8);
    }
    out.extend(bits);
    for ((_, of), value) in columns
        .iter()
        .zip(row)
        .filter(|(_, it)| **it != Value::Null)
    {
        of.write(value, out);
    }
}
