//! The table of refusals in docs/protocol.md, which stands there for people, agrees with the
//! definition.

use protocol::Reject;

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// The first line of the table.
const HEADINGS: [&str; 4] = ["code", "name", "retry", "text"];

fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// The rows of the table, headings and the line below them left out.
fn rows(document: &str) -> Vec<Vec<String>> {
    let lines = document.lines();
    let from_headings = lines.skip_while(|line| cells(line) != HEADINGS);
    let below = from_headings.skip(2);
    below.take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn row(reject: Reject) -> Vec<String> {
    vec![
        reject.code().to_string(),
        format!("{reject:?}"),
        format!("{:?}", reject.retry()).to_lowercase(),
        reject.text().to_owned(),
    ]
}

fn expected() -> Vec<Vec<String>> {
    Reject::ALL.iter().copied().map(row).collect()
}

#[test]
fn the_table_of_refusals_is_the_one_of_the_definition() {
    assert_eq!(rows(DOCUMENT), expected());
}

#[test]
fn codes_rise_and_are_read_again() {
    let codes: Vec<u16> = Reject::ALL.iter().map(|reject| reject.code()).collect();
    assert!(codes.is_sorted_by(|one, next| one < next), "{codes:?}");
    for reject in Reject::ALL {
        assert_eq!(Reject::from_code(reject.code()), Some(*reject));
    }
}

#[test]
fn a_planted_difference_is_found() {
    for (right, wrong) in [
        ("| 203 | CertificateRevoked | never |", "| 203 | CertificateRevoked | later |"),
        ("| 404 | ContentDiffers |", "| 405 | ContentDiffers |"),
        ("| invoice is paid |", "| invoice has been paid |"),
        ("| 507 | FundTooLow |", "\n| 507 | FundTooLow |"),
    ] {
        let planted = DOCUMENT.replacen(right, wrong, 1);
        assert_ne!(planted, DOCUMENT, "{right}");
        assert_ne!(rows(&planted), expected(), "{wrong}");
    }
    assert_eq!(rows("no table"), Vec::<Vec<String>>::new());
}
