//! Arrays in NumPy's `.npy` format, version 1.0.
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>

use std::io::{self, Write};

/// Writes float64 values in C order.
pub(super) fn write(
    mut out: impl Write,
    shape: &[usize],
    values: impl Iterator<Item = f64>,
) -> io::Result<()> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    // A tuple of one has a comma, which others may have too.
    let mut header =
        format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({}), }}", sizes.trim_end());
    // The data begins at a multiple of 64; ten bytes come before the header, a line ends it.
    header.push_str(&" ".repeat((64 - (10 + header.len() + 1) % 64) % 64));
    header.push('\n');
    let length = u16::try_from(header.len()).map_err(io::Error::other)?;
    out.write_all(b"\x93NUMPY\x01\x00")?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for value in values {
        out.write_all(&value.to_le_bytes())?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_is_padded_and_has_the_shape() -> std::io::Result<()> {
        for (shape, tuple) in [(&[2, 3][..], "(2, 3,)"), (&[6], "(6,)"), (&[], "()")] {
            let mut bytes = Vec::new();
            super::write(&mut bytes, shape, (0_u8..6).map(f64::from))?;
            assert_eq!(bytes.len() % 64, 6 * 8);
            let header = String::from_utf8_lossy(&bytes);
            assert!(header.contains(&format!("'shape': {tuple}, }}")), "{header}");
            assert!(bytes.ends_with(&5.0_f64.to_le_bytes()));
        }
        Ok(())
    }
}
