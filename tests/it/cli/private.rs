//! Private questions at the command line: asked inline and from a pool, hidden among canaries of either kind, and measured.

use std::thread;

use serde_json::Value;
use serin_datasets::digits;

use super::{Place, Server};

/// One with the cheap model, under a card that claims less than its accuracy.
fn cheap() -> Place {
    let place = Place::new();
    place.put("cheap.onnx", digits::cheap_model());
    place.accepts("compile cheap.onnx --data digits:calibration -o cheap.serin");
    place.accepts("commit cheap.serin --server finch --accuracy 0.75 -o card.json");
    place
}

fn ask(server: &Server, rows: &str, more: &str) -> String {
    let pin = server.pin.as_ref().map(|pin| format!("--tls-pin {pin}")).unwrap_or_default();
    let address = &server.address;
    format!("ask --card card.json --server {address} {pin} --queries digits:query --rows {rows} {more}")
}

fn mix(report: &Value) -> [u64; 2] {
    ["copies", "canaries"].map(|number| report["asked"][number].as_u64().unwrap())
}

fn bits(report: &Value) -> f64 {
    report["worth"]["mixing_bits"].as_f64().unwrap()
}

#[test]
fn private_session_in_the_clear_and_over_tls_answers_as_plain_and_verifies_again() {
    let place = cheap();
    for options in ["", "--tls"] {
        let server = place.serve(&format!("cheap.serin --card card.json --private {options}"));
        let plain = place.json(2, &ask(&server, "0..6", "--protocol plain"));
        assert!(plain.get("private_costs").is_none());
        let record = format!("a{options}.record");
        let private = format!("--protocol private --canaries digits:canary --record {record}");
        let report = place.json(0, &ask(&server, "0..6", &private));
        assert_eq!([&report["verdict"], &report["protocol"]], ["accepted", "private"]);
        assert_eq!(report["answers"], plain["answers"]);
        assert!(bits(&report) >= 40.0);

        let costs = &report["private_costs"];
        let copies_and_canaries = mix(&report);
        assert_eq!(costs["positions"], 6 * copies_and_canaries[0] + copies_and_canaries[1]);
        for part in ["setup", "offline", "online"] {
            for cost in ["sent", "received", "rounds"] {
                assert!(costs[part][cost].as_u64().unwrap() > 0, "{part} {cost}");
            }
            assert!(costs[part]["wall_s"].as_f64().unwrap() > 0.0, "{part}");
        }
        let nodes = costs["nodes"].as_array().unwrap();
        let online: u64 = nodes.iter().map(|node| node["online"]["sent"].as_u64().unwrap()).sum();
        assert_eq!(costs["online"]["sent"], online);
        assert_eq!(nodes.last().unwrap()["node"], "answer");

        let verified = place.json(0, &format!("verify {record} --card card.json"));
        assert_eq!(verified["verdict"], "accepted");
        assert_eq!(verified["head"], report["record"]["head"]);
        for field in ["session", "protocol", "answers", "canaries", "worth"] {
            assert_eq!(verified["entries"][0][field], report[field], "{field}");
        }
        let text = place.accepts(&ask(&server, "0..1", "--protocol private --canaries digits:canary"));
        for said in ["\nset-up ", "\noffline ", "\nonline ", " rounds, "] {
            assert!(text.contains(said), "{said}: {text}");
        }
    }
}

#[test]
fn references_of_a_proved_record_give_the_published_mix_and_no_accuracy_is_needed() {
    let place = cheap();
    place.accepts("commit cheap.serin --server finch -o card.json --force");
    let server = place.serve("cheap.serin --card card.json --private");
    place.accepts(&ask(&server, "0..40", "--protocol proved --record public.record"));
    let private = "--protocol private --references public.record --record public.record";
    for (rows, expected) in [("100..101", [22, 22]), ("100..110", [10, 9])] {
        let report = place.json(0, &ask(&server, rows, private));
        assert_eq!(
            [&report["verdict"], &report["canaries"]["reference"]["tally"]["wrong"]],
            [&"accepted".into(), &Value::from(0)]
        );
        assert_eq!(mix(&report), expected);
        assert!(bits(&report) >= 40.0);
    }
    // What was asked in private since then is no reference, and no obstacle.
    let few = place.json(0, &ask(&server, "100..101", &format!("{private} --canary-count 7 --copies 3")));
    assert_eq!(mix(&few), [3, 7]);
    assert_eq!(
        place.json(0, "verify public.record --card card.json")["entries"].as_array().unwrap().len(),
        4
    );
}

#[test]
fn references_fewer_than_planned_take_more_copies() {
    let place = cheap();
    let server = place.serve("cheap.serin --card card.json --private");
    place.accepts(&ask(&server, "0..12", "--record public.record"));
    let private = "--protocol private --references public.record";
    let report = place.json(0, &ask(&server, "100..101", private));
    assert!(mix(&report)[0] > 22 && mix(&report)[1] == 12 && bits(&report) >= 40.0, "{:?}", mix(&report));
    let (_, error) = place.exits(2, &ask(&server, "100..101", &format!("{private} --canary-count 13")));
    assert!(
        error.contains("13 canaries are to be hidden and 12 are there; give more by --references"),
        "{error}"
    );
}

#[test]
fn references_and_labelled_canaries_together_are_worth_the_better_of_either() {
    let place = cheap();
    let server = place.serve("cheap.serin --card card.json --private");
    place.accepts(&ask(&server, "0..40", "--record public.record"));
    let labelled = place.json(0, &ask(&server, "100..101", "--protocol private --canaries digits:canary"));
    let both = "--protocol private --canaries digits:canary --references public.record";
    let report = place.json(0, &ask(&server, "100..101", both));
    assert_eq!(mix(&report), [mix(&labelled)[0].min(22), mix(&labelled)[1] + 22]);
    let asked = |kind: &str| report["canaries"][kind]["tally"]["asked"].as_u64().unwrap();
    assert_eq!([asked("labelled"), asked("reference")], [mix(&labelled)[1], 22]);
    assert!(bits(&report) >= 40.0, "{}", bits(&report));
}

#[test]
fn references_that_prove_nothing_of_the_card_are_refused_with_the_reason() {
    let place = cheap();
    place.accepts("compile digits.onnx --data digits:calibration -o digits.serin");
    place.accepts("commit digits.serin --server finch -o digits.json");
    let server = place.serve("cheap.serin --card card.json --private");
    let other = place.serve("digits.serin --card digits.json --private");
    place.accepts(&ask(&other, "0..4", "--record other.record").replace("card.json", "digits.json"));
    place.exits(2, &ask(&server, "0..4", "--protocol plain --record plain.record"));
    place.accepts(&ask(&server, "0..4", "--record proved.record"));
    let before = place.names();
    let private = "--protocol private --record new.record --references";
    for (record, said) in [
        ("other.record", "entry 0 was asked under another card"),
        ("plain.record", "entry 0 was asked without a proof"),
        ("none.record", "none.record"),
    ] {
        let (_, error) = place.exits(2, &ask(&server, "8..9", &format!("{private} {record}")));
        assert!(error.contains(said), "{record}: {error}");
    }
    assert_eq!(place.names(), before);
    // In the clear they are no secret from whoever answered them.
    let (_, warned) =
        place.exits(0, &ask(&server, "8..9", "--references proved.record --copies 1 --canary-count 2"));
    assert!(warned.contains("may know them again"), "{warned}");
}

#[test]
fn prepared_lots_are_spent_once_and_refilled_only_where_allowed() {
    let place = cheap();
    let server = place.serve("cheap.serin --card card.json --private --pool servers");
    let prepare =
        format!("prepare --card card.json --server {} --pool pool --positions 16 --lots 3", server.address);
    let prepared = place.json(0, &prepare);
    assert_eq!([&prepared["lots"], &prepared["positions"]], [3, 48]);
    assert_eq!([&prepared["pool"]["lots"], &prepared["pool"]["positions"]], [3, 48]);
    for cost in [&prepared["sent"], &prepared["received"], &prepared["rounds"], &prepared["pool"]["bytes"]] {
        assert!(cost.as_u64().unwrap() > 0);
    }

    let private = "--protocol private --canaries digits:canary --canary-count 20 --copies 3 --pool pool";
    let only = ask(&server, "0..4", &format!("{private} --pool-only --record a.record"));
    let plain = place.json(2, &ask(&server, "0..4", "--protocol plain"));
    let first = place.json(0, &only);
    assert_eq!([&first["verdict"], &first["answers"]], [&"accepted".into(), &plain["answers"]]);
    for part in ["setup", "offline"] {
        assert_eq!(
            [&first["private_costs"][part]["sent"], &first["private_costs"][part]["received"]],
            [0, 0]
        );
    }
    // 32 of 48 positions are left behind 2 lots; then none.
    let head = first["record"]["head"].as_str().unwrap();
    let record = place.bytes("a.record");
    let (_, dry) = place.exits(2, &only);
    assert!(
        dry.contains("the pool has lots for 16 of the 32 positions asked; fill it with `serin prepare`"),
        "{dry}"
    );
    assert_eq!(place.bytes("a.record"), record, "nothing was asked");
    place.accepts(&format!("verify a.record --card card.json --head {head}"));

    let refilled = place.json(0, &ask(&server, "0..4", private));
    assert_eq!([&refilled["verdict"], &refilled["answers"]], [&"accepted".into(), &plain["answers"]]);
    assert!(refilled["private_costs"]["offline"]["sent"].as_u64().unwrap() > 0);
    let (_, dry) = place.exits(2, &only);
    assert!(dry.contains("lots for 0 of the 32 positions"), "{dry}");
    assert_eq!(place.json(0, &prepare)["pool"]["lots"], 3);

    let audit = format!(
        "audit --card card.json --server {} --canaries digits:canary --canary-count 40 --batch 20 --protocol private --pool pool --pool-only",
        server.address
    );
    place.exits(2, &audit.replace("--canary-count 40", "--canary-count 60"));
    place.accepts(&prepare);
    assert_eq!(place.json(0, &audit)["batches"], 2);
}

#[test]
fn pool_that_is_missing_or_of_no_use_is_refused() {
    let place = cheap();
    let server = place.serve("cheap.serin --card card.json --private");
    let prepare = format!("prepare --card card.json --server {} --pool pool --positions 4", server.address);
    let (_, error) = place.exits(2, &prepare);
    assert!(
        error.contains("0 of 1 lots are kept")
            && error.contains("this server keeps no lots beyond a conversation"),
        "{error}"
    );
    assert!(
        place.path().join("pool").read_dir().unwrap().all(|file| file.unwrap().path().extension().is_none())
    );
    let (_, error) = place.exits(2, &format!("{prepare}000000"));
    assert!(error.contains("where this server takes 1 to"), "{error}");

    place.accepts("compile digits.onnx --data digits:calibration -o digits.serin");
    place.accepts("commit digits.serin --server finch -o digits.json");
    let before = place.names();
    let caught = place.json(1, &prepare.replace("card.json", "digits.json").replace("pool pool", "pool new"));
    assert_eq!([&caught["verdict"], &caught["blame"]], ["rejected", "server"]);
    for (options, said) in [
        ("--protocol private --pool none --record new.record", "no pool in none"),
        ("--pool pool --record new.record", "--pool is for --protocol private"),
        ("--protocol private --pool-only", "--pool <FOLDER>"),
    ] {
        let (_, error) = place.exits(2, &ask(&server, "0..2", options));
        assert!(error.contains(said), "{options}: {error}");
    }
    assert_eq!(place.names(), before, "nothing is written");
}

#[test]
fn two_private_clients_at_once_get_their_own_answers() {
    let place = cheap();
    let server = place.serve("cheap.serin --card card.json --private");
    thread::scope(|scope| {
        let both = ["0..20", "20..40"].map(|rows| {
            let (place, server) = (&place, &server);
            scope.spawn(move || {
                let plain = place.json(2, &ask(server, rows, "--protocol plain"));
                let private =
                    place.json(0, &ask(server, rows, "--protocol private --canaries digits:canary"));
                assert_eq!(private["answers"], plain["answers"], "{rows}");
            })
        });
        both.into_iter().for_each(|client| client.join().unwrap());
    });
}

#[test]
fn line_of_ten_milliseconds_delays_each_round_of_a_private_question() {
    let place = cheap();
    let server = place.serve("cheap.serin --card card.json --private --line 1000,10");
    let line = "--protocol private --canaries digits:canary --canary-count 4 --copies 1 --line 1000,10";
    let costs = &place.json(0, &ask(&server, "0..2", line))["private_costs"];
    assert_eq!(costs["line"], "1000,10");
    // A line never delivers early; the last message of a batch is the server's.
    let (rounds, seconds) =
        (costs["online"]["rounds"].as_f64().unwrap(), costs["online"]["wall_s"].as_f64().unwrap());
    assert!(rounds >= 2.0 && seconds >= 0.0099 * rounds, "{rounds} rounds in {seconds} s");
}

#[test]
fn bench_in_private_reports_every_figure_of_both_ends() {
    let place = cheap();
    let figures = place.json(0, "bench cheap.onnx --protocol private --batch 1,3");
    let figures = figures.as_array().unwrap();
    assert_eq!([&figures[0]["batch"], &figures[1]["batch"]], [1, 3]);
    let plain = [
        "bytes_to_server",
        "bytes_to_client",
        "rounds_offline",
        "rounds_online",
        "offline_wall_s",
        "online_wall_s",
    ];
    for figure in figures {
        assert_eq!([&figure["model"], &figure["protocol"]], ["cheap.onnx", "private"]);
        assert!(figure["setup_bytes"].as_u64().unwrap() > 0);
        let nodes = figure["nodes"].as_array().unwrap();
        assert_eq!(nodes.last().unwrap()["node"], "answer");
        for of in nodes.iter().chain([figure]) {
            assert!(plain.iter().all(|name| of[name].as_f64().unwrap() >= 0.0), "{of}");
            for cpu in ["offline_cpu_s", "online_cpu_s"] {
                assert!(["client", "server"].iter().all(|end| of[cpu][end].as_f64().unwrap() >= 0.0), "{of}");
            }
        }
        for name in plain {
            let (all, sum) = (
                figure[name].as_f64().unwrap(),
                nodes.iter().map(|node| node[name].as_f64().unwrap()).sum::<f64>(),
            );
            assert!(all > 0.0 && (all - sum).abs() <= 1e-9 * all, "{name} {all} {sum}");
        }
    }
    assert_eq!(figures[0]["rounds_online"], figures[1]["rounds_online"]);
}
