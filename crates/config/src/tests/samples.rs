//! CFG-4: every sample configuration of the repository loads, alone and with every other.

use std::path::Path;

use super::{Variables, read_with, upstream};
use crate::Flags;

const SAMPLES: [&str; 4] = ["mda", "development", "staging", "production"];

const KEYS: Variables<'static> = &[
    ("POLYGON_API_KEY", "polygon-key"),
    ("ALPHA_VANTAGE_API_KEY", "alpha-vantage-key"),
    ("TWELVE_DATA_API_KEY", "twelve-data-key"),
    ("FINNHUB_API_KEY", "finnhub-key"),
];

fn sample(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config").join(format!("{name}.yaml"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn each_sample_loads_with_every_other_as_its_overlay() {
    for base in SAMPLES {
        for overlay in SAMPLES {
            let read = read_with(&sample(base), &sample(overlay), KEYS, &Flags::default());
            let configuration = read.unwrap_or_else(|problems| panic!("{base} with {overlay}: {problems}"));
            assert!(configuration.notices.is_empty(), "{base} with {overlay}: {:?}", configuration.notices);
        }
    }
}

#[test]
fn every_file_of_the_samples_folder_is_tested() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    files.sort();
    let mut known = SAMPLES;
    known.sort_unstable();
    assert_eq!(files, known);
}

#[test]
fn the_base_asks_polygon_first_for_five_seconds_and_alpha_vantage_second_for_ten() {
    let configuration = read_with(&sample("mda"), "", &[], &Flags::default()).unwrap();
    let of = |vendor| {
        let upstream = upstream(&configuration, vendor);
        (upstream.priority, upstream.timeout.as_secs())
    };
    assert_eq!((of("polygon"), of("alpha_vantage")), ((1, 5), (2, 10)));
}

#[test]
fn production_does_not_start_without_its_keys() {
    let read = read_with(&sample("mda"), &sample("production"), &[], &Flags::default());
    insta::assert_snapshot!(read.err().unwrap(), @r"
    data_sources.alpha_vantage.api_key: needs the environment variable ALPHA_VANTAGE_API_KEY, which is not set
    data_sources.finnhub.api_key: needs the environment variable FINNHUB_API_KEY, which is not set
    data_sources.polygon.api_key: needs the environment variable POLYGON_API_KEY, which is not set
    data_sources.twelve_data.api_key: needs the environment variable TWELVE_DATA_API_KEY, which is not set
    ");
}
