//! Select Graphic Rendition, as xterm.js reads it.

use super::cell::{Color, Pen, style};
use super::parser::Sequence;

/// Parameters that a colour of unknown kind takes with it.
const COLOR_PARAMETERS: usize = 4;

/// Carries out SGR.
pub(super) fn apply(pen: &mut Pen, sequence: &Sequence) {
    let mut index = 0;
    while index < sequence.len() {
        let number = sequence.get(index);
        match number {
            0 => *pen = Pen { link: pen.link, ..Pen::default() },
            1 => pen.styles |= style::BOLD,
            2 => pen.styles |= style::DIM,
            3 => pen.styles |= style::ITALIC,
            4 => pen.underline = underline(&sequence.parts(index)),
            5 => pen.styles |= style::BLINK,
            7 => pen.styles |= style::INVERSE,
            8 => pen.styles |= style::INVISIBLE,
            9 => pen.styles |= style::STRIKE,
            21 => pen.underline = 2,
            22 => pen.styles &= !(style::BOLD | style::DIM),
            23 => pen.styles &= !style::ITALIC,
            24 => pen.underline = 0,
            25 => pen.styles &= !style::BLINK,
            27 => pen.styles &= !style::INVERSE,
            28 => pen.styles &= !style::INVISIBLE,
            29 => pen.styles &= !style::STRIKE,
            30..=37 => pen.foreground = basic(number - 30),
            39 => pen.foreground = Color::Default,
            40..=47 => pen.background = basic(number - 40),
            49 => pen.background = Color::Default,
            53 => pen.styles |= style::OVERLINE,
            55 => pen.styles &= !style::OVERLINE,
            59 => pen.line = Color::Default,
            90..=97 => pen.foreground = basic(number - 90 + 8),
            100..=107 => pen.background = basic(number - 100 + 8),
            38 | 48 | 58 => {
                let (color, taken) = color(sequence, index);
                let target = match number {
                    38 => &mut pen.foreground,
                    48 => &mut pen.background,
                    _ => &mut pen.line,
                };
                *target = color.unwrap_or(*target);
                index += taken;
            }
            _ => {}
        }
        index += 1;
    }
}

/// The sequence that makes a fresh pen this one.
pub(super) fn write(pen: &Pen, to: &mut Vec<u8>) {
    let mut parts = vec!["0".to_owned()];
    let styles = [
        (style::BOLD, "1"),
        (style::DIM, "2"),
        (style::ITALIC, "3"),
        (style::BLINK, "5"),
        (style::INVERSE, "7"),
        (style::INVISIBLE, "8"),
        (style::STRIKE, "9"),
        (style::OVERLINE, "53"),
    ];
    parts
        .extend(styles.iter().filter(|(bit, _)| pen.has(*bit)).map(|(_, text)| (*text).to_owned()));
    match pen.underline {
        0 => {}
        1 => parts.push("4".to_owned()),
        kind => parts.push(format!("4:{kind}")),
    }
    parts.extend(spell(pen.foreground, 30, 38));
    parts.extend(spell(pen.background, 40, 48));
    if let Color::Indexed(_) | Color::Rgb(..) = pen.line {
        parts.extend(spell(pen.line, 0, 58));
    }
    to.extend_from_slice(format!("\x1b[{}m", parts.join(";")).as_bytes());
}

fn spell(color: Color, basic: u8, extended: u8) -> Option<String> {
    match color {
        Color::Default => None,
        Color::Basic(number @ 0..8) => Some((basic + number).to_string()),
        Color::Basic(number) => Some((basic + 60 + number - 8).to_string()),
        Color::Indexed(number) => Some(format!("{extended};5;{number}")),
        Color::Rgb(red, green, blue) => Some(format!("{extended};2;{red};{green};{blue}")),
    }
}

fn basic(number: u32) -> Color {
    Color::Basic(low(number))
}

fn low(number: u32) -> u8 {
    u8::try_from(number & 0xFF).unwrap_or(0)
}

fn underline(parts: &[u32]) -> u8 {
    match parts.first() {
        Some(kind @ 0..=5) => low(*kind),
        _ => 1,
    }
}

/// The colour that begins at a parameter, and how many parameters behind it belong to it.
fn color(sequence: &Sequence, index: usize) -> (Option<Color>, usize) {
    let parts = sequence.parts(index);
    let part = |position: usize| low(parts.get(position).copied().unwrap_or(0));
    let next = |position: usize| low(sequence.get(index + position));
    if !parts.is_empty() {
        let color = match parts[0] {
            5 => Some(Color::Indexed(part(1))),
            2 => Some(Color::Rgb(part(2), part(3), part(4))),
            _ => None,
        };
        return (color, 0);
    }
    match sequence.get(index + 1) {
        5 => (Some(Color::Indexed(next(2))), 2),
        2 => (Some(Color::Rgb(next(2), next(3), next(4))), 4),
        _ => (None, COLOR_PARAMETERS),
    }
}
