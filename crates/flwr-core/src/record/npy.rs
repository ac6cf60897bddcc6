//! The size of a `.npy` file, by the shape and the dtype that an array tells.

use flwr_proto as proto;

/// What NumPy's own arrays are serialized as.
const NUMPY: &str = "numpy.ndarray";
/// Bytes of a `.npy` header at most: version 1.0 counts its length in two bytes.
const HEADER_BYTES: usize = 10 + u16::MAX as usize;

/// Bytes that the array takes at most. `None`: its dtype or its serialization does not say. Arrays of
/// flwr's older `Parameters` have no dtype, and apps may serialize arrays in ways of their own.
pub(super) fn most_bytes(array: &proto::Array) -> Option<usize> {
    if array.stype != NUMPY {
        return None;
    }
    let one = item_bytes(&array.dtype)?;
    let length = |length: &i32| usize::try_from(*length).unwrap_or(0);
    let items = array.shape.iter().map(length);
    let bytes = items.fold(one, usize::saturating_mul);
    Some(bytes.saturating_add(HEADER_BYTES))
}

/// Bytes of one number of this dtype. `None`: it is no plain number.
fn item_bytes(dtype: &str) -> Option<usize> {
    if dtype == "bool" {
        return Some(1);
    }
    let digits = dtype.find(|letter: char| letter.is_ascii_digit())?;
    let (name, bits) = dtype.split_at(digits);
    let names = ["int", "uint", "float", "bfloat", "complex"];
    let bits: usize = bits.parse().ok().filter(|bits| *bits <= 256)?;
    names.contains(&name).then(|| bits.div_ceil(8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(dtype: &str, shape: &[i32], stype: &str) -> Option<usize> {
        most_bytes(&proto::Array {
            dtype: dtype.to_owned(),
            shape: shape.to_vec(),
            stype: stype.to_owned(),
            data: Default::default(),
        })
    }

    #[test]
    fn plain_numbers_tell_how_many_bytes_they_need() {
        let numbers =
            |dtype, shape: &[i32]| most(dtype, shape, NUMPY).map(|all| all - HEADER_BYTES);
        assert_eq!(numbers("float32", &[2, 3]), Some(24));
        assert_eq!(numbers("bool", &[5]), Some(5));
        assert_eq!(numbers("complex128", &[]), Some(16));
        assert_eq!(numbers("int64", &[7, 0]), Some(0));
        assert_eq!(most("uint8", &[i32::MAX; 4], NUMPY), Some(usize::MAX));
    }

    #[test]
    fn what_is_no_plain_number_may_be_as_large_as_it_likes() {
        assert_eq!(most("", &[], NUMPY), None);
        assert_eq!(most("<U7", &[2], NUMPY), None);
        assert_eq!(most("datetime64[ns]", &[2], NUMPY), None);
        assert_eq!(most("float999", &[2], NUMPY), None);
        assert_eq!(most("float32", &[2], "my.sparse"), None);
    }
}
