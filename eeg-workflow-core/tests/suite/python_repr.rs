//! Values are printed as Python prints them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::support::python;

use eeg_workflow_core::block::{PythonRepr, Value};
use num_bigint::BigInt;

use python::Random;

/// A value, and how it is told to Python: floats by their bits, texts by their characters.
fn generated(random: &mut Random, depth: usize) -> (Value, String) {
    let kinds = if depth == 0 { 6 } else { 8 };
    match random.below(kinds) {
        0 => {
            let float = match random.below(4) {
                0 => f64::from_bits(random.next()),
                1 => random.below(100_000) as f64 / 100.0,
                2 => 10_f64.powi(i32::try_from(random.below(50)).unwrap() - 25),
                _ => *random.pick(&[
                    0.0,
                    -0.0,
                    1e16,
                    9_999_999_999_999_998.0,
                    1e-4,
                    9.9e-5,
                    f64::NAN,
                    f64::INFINITY,
                    f64::NEG_INFINITY,
                    0.1,
                    5e-324,
                    70.0,
                ]),
            };
            (float.into(), format!("[\"float\", {}]", float.to_bits()))
        }
        1 => {
            let integer = i64::from_ne_bytes(random.next().to_ne_bytes()) >> random.below(64);
            (integer.into(), format!("[\"int\", \"{integer}\"]"))
        }
        2 => {
            let mut integer = BigInt::from(random.next());
            for _ in 0..random.below(8) {
                integer *= BigInt::from(random.next());
            }
            (integer.clone().into(), format!("[\"int\", \"{integer}\"]"))
        }
        3 => match random.below(3) {
            0 => (true.into(), "[\"bool\", 1]".to_owned()),
            1 => (false.into(), "[\"bool\", 0]".to_owned()),
            _ => (Value::None, "[\"none\"]".to_owned()),
        },
        4 | 5 => text(random),
        6 => {
            let items: Vec<_> =
                (0..random.below(4)).map(|_| generated(random, depth - 1)).collect();
            let (values, told): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            (values.into(), format!("[\"list\", [{}]]", told.join(", ")))
        }
        _ => {
            let entries = (0..random.below(4)).map(|i| {
                let (value, told) = generated(random, depth - 1);
                let key = format!("k{i}'");
                let told = format!(
                    "[[\"text\", {:?}], {told}]",
                    key.chars().map(u32::from).collect::<Vec<_>>()
                );
                ((key, value), told)
            });
            let (values, told): (Vec<_>, Vec<_>) = entries.unzip();
            (values.into_iter().collect(), format!("[\"dict\", [{}]]", told.join(", ")))
        }
    }
}

fn text(random: &mut Random) -> (Value, String) {
    let alphabets: [&[char]; 5] = [
        &['a', 'B', '7', ' ', '.', '<', '&'],
        &['\'', '"', '\\', '\n', '\r', '\t', 'x'],
        &['\0', '\x07', '\x1b', '\x7f', '\u{80}', '\u{9f}', '\u{a0}', '\u{ad}'],
        &['é', 'ß', 'ж', 'λ', '漢', '한', '🧠', '€', 'µ', '²'],
        &[
            '\u{200b}',
            '\u{2028}',
            '\u{3000}',
            '\u{feff}',
            '\u{e000}',
            '\u{fffd}',
            '\u{ffff}',
            '\u{1f9e0}',
            '\u{e0001}',
            '\u{10ffff}',
            '\u{301}',
        ],
    ];
    let count = random.below(9);
    let text: String = (0..count)
        .map(|_| {
            let alphabet = random.pick(&alphabets);
            *random.pick(alphabet)
        })
        .collect();
    let told = format!("[\"text\", {:?}]", text.chars().map(u32::from).collect::<Vec<_>>());
    (text.into(), told)
}

#[test]
fn values_are_printed_as_python_prints_them() {
    let mut random = Random(3);
    let cases: Vec<_> = (0..2000).map(|i| generated(&mut random, i % 4)).collect();
    let program = "import sys, json, struct
def build(v):
    kind, *rest = v
    if kind == 'none': return None
    value = rest[0]
    if kind == 'float': return struct.unpack('<d', struct.pack('<Q', value))[0]
    if kind == 'int': return int(value)
    if kind == 'bool': return bool(value)
    if kind == 'text': return ''.join(map(chr, value))
    if kind == 'list': return [build(item) for item in value]
    return {build(key): build(item) for key, item in value}
for line in sys.stdin:
    print(json.dumps(repr(build(json.loads(line)))))";
    let input: String = cases.iter().map(|(_, told)| format!("{told}\n")).collect();
    let Some(output) = python::run(program, &input) else { return };
    assert_eq!(output.lines().count(), cases.len());
    for ((value, told), line) in cases.iter().zip(output.lines()) {
        let expected: String = serde_json::from_str(line).unwrap();
        assert_eq!(PythonRepr(value).to_string(), expected, "{told}");
    }
}
