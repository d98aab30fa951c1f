//! The discrete wavelet transform (Mallat 1989), with the numbers of PyWavelets.

use std::fmt;
use std::str::FromStr;

/// An orthogonal wavelet, by the low-pass filter that decomposes with it
/// (`pywt.Wavelet(name).dec_lo`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wavelet {
    name: &'static str,
    low_pass: &'static [f64],
}

/// A name that no known wavelet has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no wavelet \"{name}\"; there are {}", Wavelet::names().collect::<Vec<_>>().join(", "))]
pub struct UnknownWavelet {
    /// The name that was asked for.
    pub name: String,
}

impl Wavelet {
    /// Daubechies' wavelet of one vanishing moment, also called Haar's.
    pub const DB1: Self = Self { name: "db1", low_pass: &HAAR };

    /// The names of the wavelets that there are, as in PyWavelets.
    pub fn names() -> impl Iterator<Item = &'static str> {
        WAVELETS.iter().map(|wavelet| wavelet.name)
    }

    /// The wavelet's name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The low-pass filter that decomposes (`dec_lo`).
    pub fn low_pass(self) -> &'static [f64] {
        self.low_pass
    }

    /// The high-pass filter that decomposes (`dec_hi`).
    pub fn high_pass(self) -> Vec<f64> {
        let reversed = self.low_pass.iter().rev().enumerate();
        reversed.map(|(k, h)| if k % 2 == 0 { -h } else { *h }).collect()
    }

    /// How many coefficients one step makes of `samples` samples (`pywt.dwt_coeff_len` with
    /// `mode="symmetric"`).
    pub fn coefficient_count(self, samples: usize) -> usize {
        if samples == 0 { 0 } else { (samples + self.low_pass.len() - 1) / 2 }
    }

    /// The highest level at which some coefficient is free of effects of the ends
    /// (`pywt.dwt_max_level`).
    pub fn max_level(self, samples: usize) -> u32 {
        let ratio = samples / (self.low_pass.len() - 1).max(1);
        ratio.checked_ilog2().unwrap_or(0)
    }

    /// One step: the approximation and the detail of `signal` (`pywt.dwt` with
    /// `mode="symmetric"`: beyond its ends the signal is mirrored, the last sample repeated).
    /// Of an empty signal both are empty.
    ///
    /// ```
    /// use eeg_workflow_core::eeg::Wavelet;
    /// let (approximation, detail) = Wavelet::DB1.dwt(&[1.0, 3.0, 2.0]);
    /// assert_eq!(approximation.len(), 2);
    /// assert!((detail[0] + 2.0 * 0.5_f64.sqrt()).abs() < 1e-15);
    /// assert_eq!(detail[1], 0.0);
    /// ```
    pub fn dwt(self, signal: &[f64]) -> (Vec<f64>, Vec<f64>) {
        (convolved(signal, self.low_pass), convolved(signal, &self.high_pass()))
    }

    /// `level` steps: the approximation, then the details from the coarsest to the finest
    /// (`pywt.wavedec` with `mode="symmetric"`).
    pub fn wavedec(self, signal: &[f64], level: u32) -> Vec<Vec<f64>> {
        let mut coefficients = Vec::new();
        let mut approximation = signal.to_vec();
        for _ in 0..level {
            let (coarser, detail) = self.dwt(&approximation);
            coefficients.push(detail);
            approximation = coarser;
        }
        coefficients.push(approximation);
        coefficients.reverse();
        coefficients
    }

    /// The approximation after `level` steps: the first part of [`Self::wavedec`].
    pub fn approximation(self, signal: &[f64], level: u32) -> Vec<f64> {
        let mut approximation = signal.to_vec();
        for _ in 0..level {
            approximation = convolved(&approximation, self.low_pass);
        }
        approximation
    }

    /// As [`Self::approximation`] of at least one level, into `out`, which has room for just that.
    pub(in crate::eeg) fn approximate(self, signal: &[f64], level: u32, out: &mut [f64]) {
        if level > 1 {
            let finer = self.approximation(signal, level - 1);
            convolve(&finer, self.low_pass, out);
        } else {
            convolve(signal, self.low_pass, out);
        }
    }
}

impl FromStr for Wavelet {
    type Err = UnknownWavelet;

    fn from_str(name: &str) -> Result<Self, UnknownWavelet> {
        let wanted = name.trim().to_ascii_lowercase();
        let found = WAVELETS.iter().find(|wavelet| wavelet.name == wanted);
        found.copied().ok_or_else(|| UnknownWavelet { name: name.to_owned() })
    }
}

impl fmt::Display for Wavelet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every other sample, from the second on, of the convolution of the mirrored signal with a
/// filter: `out[k] = Σ_j filter[j] * signal[2k + 1 - j]`.
fn convolved(signal: &[f64], filter: &[f64]) -> Vec<f64> {
    if signal.is_empty() {
        return Vec::new();
    }
    let mut out = vec![0.0; (signal.len() + filter.len() - 1) / 2];
    convolve(signal, filter, &mut out);
    out
}

/// As [`convolved`] of a signal that is not empty, into what has that length.
fn convolve(signal: &[f64], filter: &[f64], out: &mut [f64]) {
    if let [newer, older] = filter {
        let (pairs, rest) = signal.as_chunks();
        let last = rest.first().map(|last| [*last, *last]);
        for (out, [a, b]) in out.iter_mut().zip(pairs.iter().copied().chain(last)) {
            *out = newer * b + older * a;
        }
        return;
    }
    let at = |k: usize| {
        let newest = 2 * k + 1;
        // Inside, the newest sample first: the order in which the filter goes.
        if let Some(oldest) = (newest + 1).checked_sub(filter.len())
            && let Some(window) = signal.get(oldest..=newest)
        {
            return filter.iter().zip(window.iter().rev()).map(|(h, x)| h * x).sum::<f64>();
        }
        let newest = isize::try_from(newest).unwrap_or(isize::MAX);
        (0..).zip(filter).map(|(j, h)| h * mirrored(signal, newest - j)).sum::<f64>()
    };
    out.iter_mut().enumerate().for_each(|(k, out)| *out = at(k));
}

/// The sample at a place that may lie outside: `… x1 x0 | x0 x1 … xn | xn xn-1 …`, repeated as
/// often as it takes.
fn mirrored(signal: &[f64], place: isize) -> f64 {
    let length = isize::try_from(signal.len()).unwrap_or(isize::MAX / 2);
    let folded = place.rem_euclid(2 * length);
    let place = if folded < length { folded } else { 2 * length - 1 - folded };
    usize::try_from(place).ok().and_then(|place| signal.get(place)).copied().unwrap_or(0.0)
}

const HAAR: [f64; 2] = [std::f64::consts::FRAC_1_SQRT_2, std::f64::consts::FRAC_1_SQRT_2];

// The digits of PyWavelets.
const WAVELETS: &[Wavelet] = &[
    Wavelet { name: "haar", low_pass: &HAAR },
    Wavelet::DB1,
    Wavelet {
        name: "db2",
        low_pass: &[
            -0.12940952255126037,
            0.2241438680420134,
            0.8365163037378079,
            0.48296291314453416,
        ],
    },
    Wavelet {
        name: "db3",
        low_pass: &[
            0.03522629188570953,
            -0.08544127388202666,
            -0.13501102001025458,
            0.45987750211849154,
            0.8068915093110925,
            0.33267055295008263,
        ],
    },
    Wavelet {
        name: "db4",
        low_pass: &[
            -0.010597401785069032,
            0.0328830116668852,
            0.030841381835560764,
            -0.18703481171909309,
            -0.027983769416859854,
            0.6308807679298589,
            0.7148465705529157,
            0.2303778133088965,
        ],
    },
    Wavelet {
        name: "db5",
        low_pass: &[
            0.0033357252854737712,
            -0.012580751999081999,
            -0.006241490212798274,
            0.07757149384004572,
            -0.032244869584638375,
            -0.24229488706638203,
            0.13842814590132074,
            0.7243085284377729,
            0.6038292697971896,
            0.16010239797419293,
        ],
    },
    Wavelet {
        name: "db6",
        low_pass: &[
            -0.0010773010853084796,
            0.004777257510945511,
            0.0005538422011614961,
            -0.03158203931748603,
            0.027522865530305727,
            0.09750160558732304,
            -0.12976686756726194,
            -0.22626469396543983,
            0.31525035170919763,
            0.7511339080210954,
            0.49462389039845306,
            0.11154074335010947,
        ],
    },
    Wavelet {
        name: "db7",
        low_pass: &[
            0.00035371379997452024,
            -0.0018016407040474908,
            0.0004295779729213665,
            0.01255099855609984,
            -0.01657454163066688,
            -0.03802993693501441,
            0.08061260915108308,
            0.07130921926683026,
            -0.22403618499387498,
            -0.14390600392856498,
            0.4697822874051931,
            0.7291320908462351,
            0.3965393194819173,
            0.07785205408500918,
        ],
    },
    Wavelet {
        name: "db8",
        low_pass: &[
            -0.00011747678412476953,
            0.0006754494064505693,
            -0.00039174037337694705,
            -0.004870352993451574,
            0.008746094047405777,
            0.013981027917398282,
            -0.044088253930794755,
            -0.017369301001807547,
            0.12874742662047847,
            0.0004724845739132828,
            -0.2840155429615469,
            -0.015829105256349306,
            0.5853546836542067,
            0.6756307362972898,
            0.31287159091429995,
            0.05441584224310401,
        ],
    },
    Wavelet {
        name: "sym2",
        low_pass: &[
            -0.12940952255092145,
            0.22414386804185735,
            0.836516303737469,
            0.48296291314469025,
        ],
    },
    Wavelet {
        name: "sym3",
        low_pass: &[
            0.035226291882100656,
            -0.08544127388224149,
            -0.13501102001039084,
            0.4598775021193313,
            0.8068915093133388,
            0.3326705529509569,
        ],
    },
    Wavelet {
        name: "sym4",
        low_pass: &[
            -0.07576571478927333,
            -0.02963552764599851,
            0.49761866763201545,
            0.8037387518059161,
            0.29785779560527736,
            -0.09921954357684722,
            -0.012603967262037833,
            0.0322231006040427,
        ],
    },
    Wavelet {
        name: "sym5",
        low_pass: &[
            0.027333068345077982,
            0.029519490925774643,
            -0.039134249302383094,
            0.1993975339773936,
            0.7234076904024206,
            0.6339789634582119,
            0.01660210576452232,
            -0.17532808990845047,
            -0.021101834024758855,
            0.019538882735286728,
        ],
    },
    Wavelet {
        name: "sym6",
        low_pass: &[
            0.015404109327027373,
            0.0034907120842174702,
            -0.11799011114819057,
            -0.048311742585633,
            0.4910559419267466,
            0.787641141030194,
            0.3379294217276218,
            -0.07263752278646252,
            -0.021060292512300564,
            0.04472490177066578,
            0.0017677118642428036,
            -0.007800708325034148,
        ],
    },
    Wavelet {
        name: "sym7",
        low_pass: &[
            0.002681814568257878,
            -0.0010473848886829163,
            -0.01263630340325193,
            0.03051551316596357,
            0.0678926935013727,
            -0.049552834937127255,
            0.017441255086855827,
            0.5361019170917628,
            0.767764317003164,
            0.2886296317515146,
            -0.14004724044296152,
            -0.10780823770381774,
            0.004010244871533663,
            0.010268176708511255,
        ],
    },
    Wavelet {
        name: "sym8",
        low_pass: &[
            -0.0033824159510061256,
            -0.0005421323317911481,
            0.03169508781149298,
            0.007607487324917605,
            -0.1432942383508097,
            -0.061273359067658524,
            0.4813596512583722,
            0.7771857517005235,
            0.3644418948353314,
            -0.05194583810770904,
            -0.027219029917056003,
            0.049137179673607506,
            0.003808752013890615,
            -0.01495225833704823,
            -0.0003029205147213668,
            0.0018899503327594609,
        ],
    },
    Wavelet {
        name: "coif1",
        low_pass: &[
            -0.015655728135791993,
            -0.07273261951252645,
            0.3848648468648578,
            0.8525720202116004,
            0.3378976624574818,
            -0.07273261951252645,
        ],
    },
    Wavelet {
        name: "coif2",
        low_pass: &[
            -0.000720549445520347,
            -0.0018232088709110323,
            0.005611434819368834,
            0.02368017194684777,
            -0.05943441864643109,
            -0.07648859907828076,
            0.4170051844232391,
            0.8127236354494135,
            0.3861100668227629,
            -0.0673725547237256,
            -0.04146493678687178,
            0.01638733646320364,
        ],
    },
];
