//! What erases, inserts, deletes and scrolls.

use super::cell::{Cell, Pen};
use super::control::MANY;
use super::emulator::Emulator;
use super::parser::Sequence;
use super::row::Row;

impl Emulator {
    pub(super) fn edit(&mut self, sequence: &Sequence) {
        let origin = self.modes.is(6);
        let pen = self.pen.erased();
        let count = sequence.count(0, MANY);
        let (columns, rows) = self.size.cells();
        let within = matches!(sequence.last, b'@' | b'P' | b'X' | b'K');
        if !self.may(if within { columns } else { rows }) {
            return;
        }
        let buffer = self.buffer();
        let (x, most) = (buffer.x.min(buffer.columns - 1), buffer.columns - 1);
        match sequence.last {
            b'@' | b'P' | b'X' => {
                buffer.restrict(origin, most);
                let row = buffer.row();
                match sequence.last {
                    b'@' => row.insert(x, count, pen),
                    b'P' => row.delete(x, count, pen),
                    _ => row.erase(x, x.saturating_add(count).min(most + 1), pen, false),
                }
            }
            b'J' => self.erase_display(sequence.get(0), false),
            b'K' => self.erase_line(sequence.get(0), false),
            b'L' | b'M' => {
                buffer.restrict(origin, most);
                if buffer.within_margins() {
                    let y = buffer.y;
                    if sequence.last == b'L' {
                        buffer.insert_lines(y, count, pen);
                    } else {
                        buffer.delete_lines(y, count, pen);
                    }
                    buffer.x = 0;
                }
            }
            b'S' => buffer.delete_lines(buffer.top, count, pen),
            b'T' => buffer.insert_lines(buffer.top, count, Pen::default()),
            _ => {}
        }
    }

    pub(super) fn alignment(&mut self) {
        let (origin, pen) = (self.modes.is(6), self.pen);
        let may = self.may(self.size.cells().1);
        let buffer = self.buffer();
        buffer.go(0, 0, origin);
        let y = buffer.y;
        for row in buffer.rows[y..].iter_mut().filter(|_| may) {
            row.fill(Cell { content: u32::from(b'E'), width: 1, pen });
        }
    }

    pub(super) fn columns(&mut self, at: usize, count: usize, insert: bool) {
        let pen = self.pen.erased();
        let (columns, rows) = self.size.cells();
        let may = self.may(columns * rows);
        let buffer = self.buffer();
        if may && buffer.within_margins() {
            let (top, bottom) = (buffer.top, buffer.bottom);
            for row in &mut buffer.rows[top..=bottom] {
                if insert {
                    row.insert(at, count, pen);
                } else {
                    row.delete(at, count, pen);
                }
                row.wrapped = false;
            }
        }
    }

    pub(super) fn erase_display(&mut self, how: u32, selective: bool) {
        let (origin, pen) = (self.modes.is(6), self.pen.erased());
        let (columns, rows) = self.size.cells();
        let may = self.may(if selective { columns * rows } else { columns + rows });
        let buffer = self.buffer();
        buffer.restrict(origin, columns);
        let (x, y) = (buffer.x, buffer.y);
        match how {
            _ if !may => {}
            0 => {
                erase_row(buffer.row(), x, columns, pen, selective, x == 0);
                for row in &mut buffer.rows[y + 1..] {
                    row.clear(pen, selective);
                }
            }
            1 => {
                erase_row(buffer.row(), 0, (x + 1).min(columns), pen, selective, true);
                if x + 1 >= columns
                    && let Some(next) = buffer.rows.get_mut(y + 1)
                {
                    next.wrapped = false;
                }
                for row in &mut buffer.rows[..y] {
                    row.clear(pen, selective);
                }
            }
            2 => {
                for row in &mut buffer.rows {
                    row.clear(pen, selective);
                }
            }
            _ => {}
        }
    }

    pub(super) fn erase_line(&mut self, how: u32, selective: bool) {
        let (origin, pen) = (self.modes.is(6), self.pen.erased());
        let columns = self.size.cells().0;
        let may = self.may(columns);
        let buffer = self.buffer();
        buffer.restrict(origin, columns);
        let x = buffer.x;
        let row = buffer.row();
        match how {
            _ if !may => {}
            0 => erase_row(row, x, columns, pen, selective, x == 0),
            1 => erase_row(row, 0, (x + 1).min(columns), pen, selective, false),
            2 => erase_row(row, 0, columns, pen, selective, true),
            _ => {}
        }
    }
}

fn erase_row(row: &mut Row, from: usize, to: usize, pen: Pen, selective: bool, unwrap: bool) {
    row.erase(from, to, pen, selective);
    if unwrap {
        row.wrapped = false;
    }
}
