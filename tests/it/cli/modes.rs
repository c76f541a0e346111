//! Both modes at the command line: a server of one, the bench and the demonstration of either.

use serin_datasets::digits;

use super::Place;

#[test]
fn server_that_minds_its_activations_refuses_to_reveal_them() {
    let place = Place::compiled();
    let server = place.serve("digits.serin --card card.json --mode succinct");
    let line = format!("--card card.json --server {} ", server.address);
    let ask = format!("ask {line} --queries digits:query --rows 0..2 --record a.record");
    let (_, error) = place.exits(2, &ask);
    assert!(
        error.contains("no `proved (revealed)` question; it takes `plain` and `proved (succinct)`"),
        "{error}"
    );
    assert!(!place.names().contains(&"a.record".to_owned()));
    place.accepts(&format!("{ask} --mode succinct"));
    let audit = format!("audit {line} --canaries digits:canary --canary-count 20 --batch 8");
    place.exits(2, &audit);
    assert_eq!(place.json(0, &format!("{audit} --mode succinct"))["proved"], 3);
}

#[test]
fn bench_of_two_batches_reports_every_figure_of_each_in_either_mode() {
    let place = Place::new();
    place.put("cheap.onnx", digits::cheap_model());
    for mode in ["revealed", "succinct"] {
        let figures = place.json(0, &format!("bench cheap.onnx --mode {mode} --batch 1,17"));
        let figures = figures.as_array().unwrap();
        assert_eq!([&figures[0]["batch"], &figures[1]["batch"]], [1, 17]);
        for figure in figures {
            assert_eq!([&figure["model"], &figure["mode"]], ["cheap.onnx", mode]);
            for time in ["infer_cpu_s", "prove_cpu_s", "verify_cpu_s", "commit_cpu_s", "open_cpu_s"] {
                let seconds = figure[time].as_f64().unwrap();
                assert!(seconds > 0.0 && seconds < 5.0, "{time} {seconds}");
            }
            assert!(figure["proof_bytes"].as_u64().unwrap() > 0);
            let peak = &figure["peak_rss_bytes"];
            assert!(peak.is_null() || peak.as_u64().unwrap() > 1 << 20);
        }
        let activations = |n: usize| figures[n]["activation_bytes"].as_u64().unwrap();
        assert_eq!(activations(1), 17 * activations(0));
        assert_eq!(activations(0) == 0, mode == "succinct");
        // Through two points the line is exact.
        let all = |n: usize| (figures[n]["proof_bytes"].as_u64().unwrap() + activations(n)) as f64;
        let line = |part: &str| figures[0]["slope"]["evidence_bytes"][part].as_f64().unwrap();
        assert!((line("fixed") + line("per_query") - all(0)).abs() < 1e-3);
        assert!((line("fixed") + 17.0 * line("per_query") - all(1)).abs() < 1e-3);
    }
    assert!(place.json(0, "bench cheap.onnx --mode succinct")[0].get("slope").is_none());
}

#[test]
fn demo_accepts_the_honest_server_and_rejects_every_cheat_in_both_modes() {
    let place = Place::new();
    let shown = place.json(0, "demo");
    let verdicts = ["honest", "succinct", "private"].map(|session| &shown[session]["verdict"]);
    assert_eq!((&shown["verdict"], verdicts), (&"accepted".into(), [&"accepted".into(); 3]));
    assert!(shown["private"]["worth"]["mixing_bits"].as_f64().unwrap() >= 40.0);
    assert_eq!([&shown["honest"]["mode"], &shown["succinct"]["mode"]], ["revealed", "succinct"]);
    assert!(shown["right"].as_u64().unwrap() >= 14);
    let cheats = shown["cheats"].as_array().unwrap();
    for (mode, count) in [("revealed", 10), ("succinct", 9)] {
        assert_eq!(cheats.iter().filter(|cheat| cheat["mode"] == mode).count(), count);
    }
    assert_eq!(cheats.iter().filter(|cheat| cheat["protocol"] == "private").count(), 4);
    for cheat in cheats {
        assert_eq!([&cheat["verdict"], &cheat["blame"]], ["rejected", "server"], "{cheat}");
    }
    assert_eq!(place.names(), ["digits.onnx"], "nothing is left behind");
}
