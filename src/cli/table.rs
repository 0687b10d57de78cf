//! Aligned columns.

use super::console::printable;

/// Rows as text, the first of them a head: columns of numbers to the right, others to the
/// left.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let line = |row: &Vec<String>| row.iter().map(|s| printable(s).into_owned()).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(line).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let of_numbers = |c: usize| {
        let number = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        c > 0 && rows.iter().skip(1).filter_map(|r| r.get(c)).all(number)
    };
    let to_right: Vec<bool> = (0..columns).map(of_numbers).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[c] - cell.chars().count());
            line.push_str(if c == 0 { "" } else { "  " });
            line.push_str(&if to_right[c] { pad + cell } else { cell.clone() + &pad });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aligned() {
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        let text = table(&[row(&["file", "bytes"]), row(&["ä", "12"]), row(&["long name", "3"])]);
        assert_eq!(text, "file       bytes\nä             12\nlong name      3\n");
        let text = table(&[row(&["a", "model"]), row(&["1", "b"]), row(&["2", "12"])]);
        assert_eq!(text, "a  model\n1  b\n2  12\n");
        assert_eq!(table(&[]), "");
    }
}
