//! Every link of every page of the documentation leads somewhere: to a file of the repository, and to a heading that it has.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The Markdown files at the root and below `docs`.
fn pages() -> Vec<PathBuf> {
    let mut directories = vec![root().join("docs")];
    let mut pages: Vec<PathBuf> = files(&root());
    while let Some(directory) = directories.pop() {
        pages.extend(files(&directory));
        directories.extend(entries(&directory).into_iter().filter(|path| path.is_dir()));
    }
    pages
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let is_page = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "md");
    entries(directory).into_iter().filter(is_page).collect()
}

/// The text of a page outside of code.
fn prose(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let mut is_code = false;
    let mut prose = String::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        } else if !is_code {
            prose += line;
            prose.push('\n');
        }
    }
    prose
}

/// Where links and pictures of a text lead.
fn targets(prose: &str) -> Vec<&str> {
    let of_links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let of_pictures = prose.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
    of_links.chain(of_pictures).collect()
}

/// What the headings of a page are called in links.
fn anchors(page: &Path) -> BTreeSet<String> {
    let headings = prose(page);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let words = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        words.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_there_is() {
    let mut followed = 0;
    let mut broken = Vec::new();
    for page in pages() {
        for target in targets(&prose(&page)).into_iter().filter(|target| !target.contains("://")) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.clone() } else { page.with_file_name(path) };
            let leads = file.exists() && (anchor.is_empty() || anchors(&file).contains(anchor));
            if !leads {
                broken.push(format!("{}: {target}", page.display()));
            }
            followed += 1;
        }
    }
    assert!(broken.is_empty(), "these lead nowhere:\n{}", broken.join("\n"));
    assert!(followed > 30, "only {followed} links were found");
}
