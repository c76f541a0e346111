//! What the harness of `cargo bench --bench private` makes of peers' logs. Benches without libtest's harness hold no tests of their own.

#[path = "../../benches/peers/mp_spdz.rs"]
mod mp_spdz;

use mp_spdz::{Log, LogError};

/// A run with `-v`: all lines that are read, and their neighbours.
const VERBOSE: &str = "\
Communication details (rounds in parallel threads counted double):
Sending directly 1.5 MB in 3417 rounds, taking 0.1 seconds
CPU time = 7.5 (overall core time)
The following benchmarks are including preprocessing (offline phase).
Time = 8.25 seconds \n\
Time1 = 8 seconds (490 MB, 18159 rounds)
Data sent = 490.5 MB in ~18260 rounds (party 0 only)
Global data sent = 981 MB (all parties)
";

#[test]
fn verbose_log_is_read_with_cpu_time() {
    let log = Log { wall_s: 8.25, cpu_s: Some(7.5), bytes: 981e6, rounds: 18260 };
    assert_eq!(VERBOSE.parse(), Ok(log));
}

#[test]
fn terse_log_of_several_threads_with_small_figures_is_read() {
    let text = "  Time = 5.5e-05 seconds\n  Data sent = 4e-05 MB in ~2 rounds (party 0 only; rounds counted double due to \
                multi-threading; use '-v' for more details)\n  Global data sent = 8e-05 MB (all parties)\n";
    let log: Log = text.parse().unwrap();
    assert_eq!((log.wall_s, log.cpu_s, log.rounds), (5.5e-5, None, 2));
    assert!((log.bytes - 80.0).abs() < 1e-9, "{}", log.bytes);
}

#[test]
fn log_without_a_line_names_it() {
    for start in ["Time =", "Data sent =", "Global data sent ="] {
        let text: String =
            VERBOSE.lines().filter(|line| !line.starts_with(start)).map(|line| format!("{line}\n")).collect();
        assert_eq!(text.parse::<Log>(), Err(LogError::Missing(start)));
    }
}

#[test]
fn log_of_two_parties_is_refused() {
    assert_eq!([VERBOSE, VERBOSE].concat().parse::<Log>(), Err(LogError::Repeated("Time =")));
}

#[test]
fn line_of_another_form_is_refused() {
    for (from, to) in [
        ("8.25 seconds", "8.25 ms"),
        ("981 MB (all", "981 MiB (all"),
        ("~18260", "18260"),
        ("= 7.5 (", "= x ("),
    ] {
        let error = VERBOSE.replace(from, to).parse::<Log>().unwrap_err();
        assert!(matches!(error, LogError::Malformed(_)), "{to}: {error}");
    }
}
