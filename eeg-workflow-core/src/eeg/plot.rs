//! placeholder
/// x
#[derive(Default)]
pub struct EegPlot;
impl EegPlot {
    /// x
    pub fn to_png(&self, _r: &super::Recording) -> Result<Vec<u8>, crate::picture::PictureError> {
        Ok(vec![])
    }
}
