//! Values between rows and the server, in its binary format.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use leasehold_core::Wall;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// One value of one column, borrowed from the batch that is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cell<'b> {
    Null,
    Text(&'b str),
    Int(i64),
    Bool(bool),
    Uuid([u8; 16]),
    Bytes(&'b [u8]),
    Time(Wall),
}

impl<'b> Cell<'b> {
    pub(super) fn text(text: Option<&'b str>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }

    pub(super) fn int(number: Option<u32>) -> Self {
        number.map_or(Self::Null, |number| Self::Int(i64::from(number)))
    }

    /// What a parameter with this value is declared as.
    pub(super) fn type_(&self) -> Type {
        match self {
            Self::Null | Self::Text(_) => Type::TEXT,
            Self::Int(_) => Type::INT8,
            Self::Bool(_) => Type::BOOL,
            Self::Uuid(_) => Type::UUID,
            Self::Bytes(_) => Type::BYTEA,
            Self::Time(_) => Type::TIMESTAMPTZ,
        }
    }
}

type Failure = Box<dyn Error + Sync + Send>;

impl ToSql for Cell<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Text(text) => text.to_sql(ty, out)?,
            Self::Int(number) => number.to_sql(ty, out)?,
            Self::Bool(flag) => flag.to_sql(ty, out)?,
            Self::Uuid(bytes) => {
                out.put_slice(bytes);
                IsNull::No
            }
            Self::Bytes(bytes) => bytes.to_sql(ty, out)?,
            Self::Time(wall) => {
                out.put_i64(micros_of(*wall));
                IsNull::No
            }
        };
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        [Type::TEXT, Type::INT8, Type::BOOL, Type::UUID, Type::BYTEA, Type::TIMESTAMPTZ]
            .contains(ty)
    }

    to_sql_checked!();
}

/// 2000-01-01, where the server's timestamps begin, in milliseconds since 1970.
const SERVER_EPOCH_MS: i64 = 946_684_800_000;

/// The years 4713 before and 294276 after Christ: what the server can date.
const MIN_MICROS: i64 = -211_813_488_000_000_000;
const MAX_MICROS: i64 = 9_223_371_331_199_999_999;

/// Saturates, as all of [`Wall`] does: times are shown to people and never compared.
fn micros_of(wall: Wall) -> i64 {
    let micros = (i128::from(wall.0) - i128::from(SERVER_EPOCH_MS)) * 1_000;
    i64::try_from(micros).map_or(if micros < 0 { MIN_MICROS } else { MAX_MICROS }, |micros| {
        micros.clamp(MIN_MICROS, MAX_MICROS)
    })
}

/// A timestamp read back.
pub(super) struct Stamp(pub(super) Wall);

impl FromSql<'_> for Stamp {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(Wall(micros.div_euclid(1_000) + SERVER_EPOCH_MS)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }
}

/// A UUID read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Uid(pub(super) [u8; 16]);

impl FromSql<'_> for Uid {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Failure> {
        Ok(Self(raw.try_into()?))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::UUID
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(wall: Wall) -> Wall {
        let mut out = BytesMut::new();
        Cell::Time(wall).to_sql(&Type::TIMESTAMPTZ, &mut out).unwrap();
        Stamp::from_sql(&Type::TIMESTAMPTZ, &out).unwrap().0
    }

    #[test]
    fn times_keep_their_milliseconds() {
        for ms in [-1, 0, 3, 1_700_000_000_001, -62_135_596_800_000, SERVER_EPOCH_MS] {
            assert_eq!(read_back(Wall(ms)), Wall(ms));
        }
    }

    /// A machine whose clock stands at nonsense must still be able to commit.
    #[test]
    fn times_that_the_server_cannot_date_saturate() {
        assert_eq!(micros_of(Wall(i64::MAX)), MAX_MICROS);
        assert_eq!(micros_of(Wall(i64::MIN)), MIN_MICROS);
        assert_eq!(read_back(Wall(i64::MAX)).0, MAX_MICROS / 1_000 + SERVER_EPOCH_MS);
    }
}
