//! Digits drawn in text: two rows of pixels a line, by half blocks.

use serin_datasets::Samples;
use serin_verifier::report::Answer;

/// The first digits side by side, each over what was answered.
pub(super) fn row(digits: &Samples, answers: &[Answer]) -> String {
    let pictures: Vec<Vec<String>> = digits
        .inputs()
        .outer_iter()
        .take(MOST)
        .map(|digit| {
            let width = digit.shape().last().copied().unwrap_or(1);
            let pixels: Vec<f32> = digit.iter().copied().collect();
            picture(&pixels, width)
        })
        .collect();
    let height = pictures.first().map_or(0, Vec::len);
    let mut lines: Vec<String> = (0..height)
        .map(|line| pictures.iter().map(|picture| picture[line].as_str()).collect::<Vec<_>>().join(GAP))
        .collect();
    let width = digits.shape().last().copied().unwrap_or(1);
    let named = answers.iter().take(MOST).map(|answer| {
        let class = answer.class.map_or_else(|| "?".into(), |class| class.to_string());
        format!("{class:^width$}")
    });
    lines.push(named.collect::<Vec<_>>().join(GAP));
    lines.iter().map(|line| format!("  {line}\n")).collect()
}

/// One picture, a line for two rows of `width` pixels in 0..=1.
fn picture(pixels: &[f32], width: usize) -> Vec<String> {
    let rows: Vec<&[f32]> = pixels.chunks_exact(width.max(1)).collect();
    let pairs = rows.chunks(2).map(|pair| {
        let below = pair.get(1).copied().unwrap_or(&[]);
        let ink = |row: &[f32], at: usize| row.get(at).is_some_and(|v| *v > INK);
        (0..width)
            .map(|at| match (ink(pair[0], at), ink(below, at)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            })
            .collect()
    });
    pairs.collect()
}

/// Digits on one line.
const MOST: usize = 7;
const GAP: &str = "   ";
/// What counts as dark.
const INK: f32 = 0.45;

#[cfg(test)]
mod tests {
    use super::picture;

    #[test]
    fn picture_of_four_pixels_shows_each() {
        assert_eq!(picture(&[1.0, 0.0, 1.0, 1.0, 0.0, 0.0], 2), ["█▄", "  "]);
    }
}
