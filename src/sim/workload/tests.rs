use std::fs::File;
use std::io::{Error, Read};

use super::*;

const MS: Duration = Duration::from_millis(1);

/// Returns one byte per read.
struct ByteByByte<'a>(&'a [u8]);

impl Read for ByteByByte<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let some = buffer.len().min(1);
        self.0.read(&mut buffer[..some])
    }
}

/// Fails at once.
struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(Error::other("unplugged"))
    }
}

fn read(csv: impl AsRef<[u8]>) -> Result<Workload, WorkloadError> {
    read_with(csv, ReadOptions::default())
}

fn read_with(csv: impl AsRef<[u8]>, options: ReadOptions) -> Result<Workload, WorkloadError> {
    Workload::read("trace.csv", csv.as_ref(), &options)
}

fn data(file: &str, options: ReadOptions) -> Result<Workload, WorkloadError> {
    let path = format!("{}/data/{file}", env!("CARGO_MANIFEST_DIR"));
    Workload::read(file, File::open(path).unwrap(), &options)
}

/// The message of the error; it must hold all `parts`.
#[track_caller]
fn refused(result: Result<Workload, WorkloadError>, parts: &[&str]) {
    let message = result.expect_err("this must be refused").to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
    assert!(message.contains("; "), "what is wrong, then what to do: {message:?}");
}

fn arrivals_ms(workload: &Workload) -> Vec<u64> {
    workload.requests().iter().map(|request| request.arrival.as_nanos() / 1_000_000).collect()
}

#[test]
fn request_level_rows_are_kept_as_they_are() {
    let workload = read("arrival_ms,service_ms\n0,5\n7,1\n7,300\n").unwrap();
    let request = |arrival, service| Request { arrival: Timestamp::from_millis(arrival), service: service * MS };
    assert_eq!(workload.requests(), [request(0, 5), request(7, 1), request(7, 300)]);
    assert_eq!((workload.name(), workload.duration()), ("trace.csv", 7 * MS));
    assert!((workload.offered_load() - 306.0 / 7.0).abs() < 1e-12);
}

#[test]
fn columns_may_come_in_any_order_among_others() {
    let want = read("arrival_ms,service_ms\n3,5\n").unwrap();
    assert_eq!(read("note,service_ms,,arrival_ms,note\nx y,5,,3,\n").unwrap(), want);
    let want = read("t_s,requests\n0,1\n1,2\n").unwrap();
    assert_eq!(read("requests,x,t_s\n1,,0\n2,-1,1\n").unwrap(), want);
}

#[test]
fn crlf_byte_order_mark_and_a_missing_last_line_end_change_nothing() {
    let plain = "arrival_ms,service_ms\n0,5\n7,1\n";
    let want = read(plain).unwrap();
    assert_eq!(read(plain.replace('\n', "\r\n")).unwrap(), want);
    assert_eq!(read(plain.trim_end()).unwrap(), want);
    assert_eq!(read(plain.replace('\n', "\r\n").trim_end()).unwrap(), want);
    let marked = format!("\u{feff}{plain}");
    assert_eq!(read(&marked).unwrap(), want);

    let slow = ByteByByte(marked.as_bytes());
    assert_eq!(Workload::read("trace.csv", slow, &ReadOptions::default()).unwrap(), want);
}

/// The rule of `data/README.md`, worked by hand for a width of 10 s: 3 requests at (2j+1)*10000/6, 4 at (2j+1)*10000/8.
#[test]
fn buckets_are_spread_by_the_rule() {
    let workload = read("t_s,requests\n0,3\n10,0\n20,4\n30,1\n40,0\n").unwrap();
    assert_eq!(arrivals_ms(&workload), [1_666, 5_000, 8_333, 21_250, 23_750, 26_250, 28_750, 35_000]);
    assert_eq!(workload.duration(), Duration::from_secs(50));
    assert!(workload.requests().iter().all(|request| request.service == 20 * MS));
    assert!((workload.offered_load() - 8.0 * 0.02 / 50.0).abs() < 1e-12);

    // More requests than milliseconds: several share one.
    let dense = read("t_s,requests\n0,2500\n1,0\n").unwrap();
    assert_eq!(arrivals_ms(&dense)[..7], [0, 0, 1, 1, 1, 2, 2]);
    assert_eq!(arrivals_ms(&dense)[2_499], 999);
}

#[test]
fn divided_counts_carry_their_remainder_forward() {
    let options = ReadOptions::default().with_divide_by(10).with_service(MS);
    // 19 -> 1 left 9; 5 + 9 -> 1 left 4; 0 + 4 -> 0 left 4; 36 + 4 -> 4 left 0.
    let workload = read_with("t_s,requests\n0,19\n1,5\n2,0\n3,36\n", options).unwrap();
    assert_eq!(arrivals_ms(&workload), [500, 1_500, 3_125, 3_375, 3_625, 3_875]);
    assert!(workload.requests().iter().all(|request| request.service == MS));

    let rare = ReadOptions::default().with_divide_by(u64::MAX);
    let workload = read_with(format!("t_s,requests\n0,{0}\n1,{0}\n2,1\n", u64::MAX - 1), rare).unwrap();
    assert_eq!(arrivals_ms(&workload), [1_500], "the sum of count and remainder does not overflow");
}

#[test]
fn a_pool_is_cut_out_of_the_whole_window() {
    let csv = "arrival_ms,service_ms,pool\n0,10,0\n5,10,7\n6,20,0\n40,10,7\n";
    let pool = |pool| read_with(csv, ReadOptions::default().with_pool(pool)).unwrap();
    assert_eq!(arrivals_ms(&pool(0)), [0, 6]);
    assert_eq!(arrivals_ms(&pool(7)), [5, 40]);
    assert_eq!(pool(0).duration(), 40 * MS);
    let loads = pool(0).offered_load() + pool(7).offered_load();
    assert!((loads - read(csv).unwrap().offered_load()).abs() < 1e-12);

    refused(read_with(csv, ReadOptions::default().with_pool(1)), &["trace.csv", "column `pool`", "no row with 1"]);
    let none = read_with("arrival_ms,service_ms\n0,1\n", ReadOptions::default().with_pool(0));
    refused(none, &["trace.csv, line 1", "column `pool` is missing", "\"arrival_ms,service_ms\""]);
    let text = read_with("arrival_ms,service_ms,pool\n0,1,a\n", ReadOptions::default().with_pool(0));
    refused(text, &["trace.csv, line 2, column `pool`", "found \"a\""]);
}

#[test]
fn headers_of_neither_format_are_refused() {
    for empty in ["", "\u{feff}", "\n", "\n\n\n"] {
        refused(read(empty), &["trace.csv", "the file is empty", "`arrival_ms,service_ms` or `t_s,requests`"]);
    }
    for header in ["arrival_ms,service_ms", "t_s,requests\n", "t_s,requests\r\n"] {
        refused(read(header), &["trace.csv", "no rows"]);
    }
    refused(read("time,n\n0,1\n"), &["trace.csv, line 1", "\"time,n\"", "`arrival_ms`", "`t_s`"]);
    refused(read("arrival_ms,service\n0,1\n"), &["trace.csv, line 1", "`service_ms`", "\"arrival_ms,service\""]);
    refused(read("T_S,t_s\n0,1\n"), &["trace.csv, line 1", "`requests`", "\"T_S,t_s\""]);
    refused(read("t_s,requests,t_s\n0,1,0\n"), &["trace.csv, line 1", "`t_s` is there twice"]);
    refused(read("t_s,requests,arrival_ms\n"), &["trace.csv, line 1", "both column `arrival_ms` and column `t_s`"]);
    // A quoted or spaced name is another name, a long header is cut, and bytes that are no text are shown.
    refused(read("\"t_s\",requests\n"), &["trace.csv, line 1"]);
    refused(read("t_s, requests\n"), &["line 1", "`requests` is missing"]);
    refused(read(b"\xff\0".repeat(100)), &["trace.csv, line 1", "\u{fffd}\\0", "…"]);
}

#[test]
fn values_that_are_no_whole_numbers_are_refused() {
    for bad in ["-1", "+1", "1.5", "1e3", "x", "", " 1", "1 ", "\"1\"", "0x1", "１", "1\r"] {
        let at = |column| format!("trace.csv, line 3, column `{column}`: found {bad:?}, expected a whole number");
        refused(read(format!("arrival_ms,service_ms\n0,1\n{bad},1\n")), &[&at("arrival_ms"), "milliseconds"]);
        refused(read(format!("arrival_ms,service_ms\r\n0,1\r\n9,{bad}\r\n")), &[&at("service_ms"), "at least 1"]);
        refused(read(format!("t_s,requests\n0,1\n{bad},1\n")), &[&at("t_s"), "seconds"]);
        refused(read(format!("requests,t_s\n0,0\n{bad},1\n")), &[&at("requests"), "digits only"]);
    }
    let long = "x".repeat(100_000);
    let message = read(format!("t_s,requests\n0,{long}\n")).unwrap_err().to_string();
    assert!(message.contains('…') && message.len() < 300, "{message}");
}

#[test]
fn values_that_do_not_fit_are_refused_not_saturated() {
    let most = "18446744073709";
    let workload = read(format!("arrival_ms,service_ms\n{most},{most}\n")).unwrap();
    assert_eq!(arrivals_ms(&workload), [18_446_744_073_709]);
    for over in ["18446744073710", "18446744073709551615", "18446744073709551616", &"9".repeat(99)] {
        let parts = ["trace.csv, line 2, column `arrival_ms`: found ", &over[..14], "at most 18446744073709;"];
        refused(read(format!("arrival_ms,service_ms\n{over},1\n")), &parts);
        refused(read(format!("service_ms,arrival_ms\n{over},1\n")), &["line 2, column `service_ms`"]);
    }
    // The last bucket must end in range too: 584 years are 18446744073 s.
    assert!(read("t_s,requests\n0,1\n9223372036,1\n").is_ok());
    assert!(read("t_s,requests\n0,1\n6148914691,1\n12297829382,1\n").is_ok());
    let parts = ["trace.csv, line 3, column `t_s`: found 9223372037", "at most 9223372036"];
    refused(read("t_s,requests\n0,1\n9223372037,1\n"), &parts);
    refused(read("t_s,requests\n0,1\n18446744074,1\n"), &["line 3, column `t_s`", "at most 18446744073"]);
    refused(read("t_s,requests\n0,18446744073709551616\n"), &["line 2, column `requests`"]);
}

#[test]
fn lines_of_the_wrong_shape_are_refused() {
    refused(read("t_s,requests\n0,1\n1\n"), &["trace.csv, line 3", "found 1 fields, expected 2"]);
    refused(read("t_s,requests\r\n0,1\r\n1,2,3\r\n"), &["trace.csv, line 3", "found 3 fields, expected 2"]);
    // A quote does not swallow the lines after it.
    refused(read("t_s,requests,x\n0,1,\"a\n1,1,b\",c\n"), &["trace.csv, line 3", "found 4 fields"]);
    for end in ["\n", "\r\n"] {
        for (csv, line) in [("|t_s,requests|0,1|", 1), ("t_s,requests||0,1|1,1", 2), ("t_s,requests|0,1||1,1", 3)] {
            refused(read(csv.replace('|', end)), &[&format!("trace.csv, line {line}: found a blank line")]);
        }
        refused(read(format!("t_s,requests{end}0,1{end}1,1{end}{end}")), &["trace.csv, line 4: found a blank line"]);
    }
    // Lines are counted right across the reader's buffer.
    let rows = "7,1\r\n".repeat(50_000);
    refused(read(format!("arrival_ms,service_ms\r\n{rows}0,1\r\n")), &["line 50002, column `arrival_ms`"]);
}

#[test]
fn rows_out_of_order_are_refused() {
    let parts = ["trace.csv, line 4, column `arrival_ms`: found 6 after 7", "sort"];
    refused(read("arrival_ms,service_ms\n0,1\n7,1\n6,1\n"), &parts);
    refused(read("t_s,requests\n0,1\n5,1\n5,1\n"), &["trace.csv, line 4, column `t_s`: found 5 after 5"]);
    refused(read("t_s,requests\n0,1\n0,1\n"), &["line 3, column `t_s`: found 0 after 0"]);
}

#[test]
fn irregular_buckets_are_refused() {
    refused(read("t_s,requests\n5,1\n10,1\n"), &["trace.csv, line 2, column `t_s`: found 5, expected 0"]);
    refused(read("t_s,requests\n0,1\n5,1\n15,1\n"), &["trace.csv, line 4, column `t_s`: found 15, expected 10"]);
    refused(read("t_s,requests\n0,1\n5,1\n9,1\n"), &["line 4", "found 9, expected 10", "second row"]);
    refused(read("t_s,requests\n0,1\n"), &["trace.csv, line 2, column `t_s`", "only this bucket", "bucket width"]);
}

#[test]
fn requests_without_service_are_refused() {
    let parts = ["trace.csv, line 3, column `service_ms`: found 0, expected at least 1"];
    refused(read("arrival_ms,service_ms\n0,1\n1,0\n"), &parts);
}

#[test]
fn too_many_requests_are_refused_before_they_are_made() {
    let at_most = |max| ReadOptions::default().with_max_requests(max);
    let (requests, rates) = ("arrival_ms,service_ms\n0,1\n1,1\n2,1\n", "t_s,requests\n0,2\n1,1\n");
    for (csv, line) in [(requests, 4), (rates, 3)] {
        assert_eq!(read_with(csv, at_most(3)).unwrap().requests().len(), 3);
        let parts = [&format!("trace.csv, line {line}"), "past 2 requests", "with_max_requests"];
        refused(read_with(csv, at_most(2)), &parts);
    }
    refused(read(format!("t_s,requests\n0,1\n1,{}\n", u64::MAX)), &["line 3", "past 50000000", "with_divide_by"]);
    refused(data("web_flashcrowd_worldcup98.csv", ReadOptions::default()), &["worldcup98.csv, line", "past 50000000"]);
    let absurd = format!("t_s,requests\n0,{}\n1,0\n", u64::from(u32::MAX) << 31);
    refused(
        read_with(absurd, at_most(usize::MAX)),
        &["trace.csv", if cfg!(target_pointer_width = "64") { "memory" } else { "past" }],
    );
}

#[test]
fn options_without_meaning_are_refused() {
    let options = ReadOptions::default();
    refused(read_with("", options.with_divide_by(0)), &["ReadOptions::with_divide_by", "found 0"]);
    refused(read_with("", options.with_service(Duration::ZERO)), &["ReadOptions::with_service", "found 0"]);
    let divided = read_with("arrival_ms,service_ms\n0,1\n", options.with_divide_by(2));
    refused(divided, &["trace.csv", "ReadOptions::with_divide_by", "is for rate-level", "request-level header"]);
    let pool = read_with("t_s,requests\n0,1\n1,1\n", options.with_pool(0));
    refused(pool, &["trace.csv", "ReadOptions::with_pool", "is for request-level", "rate-level header"]);
}

#[test]
fn a_failing_reader_is_reported_with_its_place_and_cause() {
    let input = "t_s,requests\n0,1\n".as_bytes().chain(Broken);
    let error = Workload::read("trace.csv", input, &ReadOptions::default()).unwrap_err();
    assert_eq!(core::error::Error::source(&error).unwrap().to_string(), "unplugged");
    refused(Err(error), &["trace.csv", "after line 2"]);
}

#[test]
fn requests_made_elsewhere_meet_the_same_rules() {
    let request = |arrival, service| Request { arrival: Timestamp::from_secs(arrival), service };
    let workload = Workload::from_requests("mine", vec![request(3, MS), request(3, MS), request(4, MS)]).unwrap();
    assert_eq!((workload.name(), workload.duration()), ("mine", Duration::from_secs(4)));
    let unsorted = Workload::from_requests("mine", vec![request(3, MS), request(2, MS)]);
    refused(unsorted, &["mine", "request 1 (from 0) arrives at 2 s", "at 3 s"]);
    refused(Workload::from_requests("mine", vec![request(3, Duration::ZERO)]), &["mine", "request 0", "service"]);

    let empty = Workload::from_requests("none", Vec::new()).unwrap();
    assert_eq!((empty.duration(), empty.offered_load()), (Duration::ZERO, 0.0));
    let longest = Workload::from_requests("long", vec![request(1, Duration::MAX); 2]).unwrap();
    assert!(longest.offered_load() > 1e19, "the sum saturates");
}

/// Counts, lengths and offered loads that `data/README.md` states.
#[test]
fn the_data_files_are_what_their_readme_says() {
    let plain = ReadOptions::default();
    let client = plain.with_service(2_283 * MS);
    for (file, options, requests, duration, load) in [
        ("llm_code_azure2023.csv", plain, 8_819, 3_435, 2.61),
        ("llm_chat_azure2023.csv", plain, 19_366, 3_501, 24.9),
        ("serverless_apps_azure2021.csv", plain, 998, 6_464, 3.83),
        ("llm_api_bursty_servegen.csv", client, 675_387, 1_209_600, 1.275),
        ("web_flashcrowd_worldcup98.csv", plain.with_divide_by(100), 1_378_199, 172_800, 0.1595),
    ] {
        let workload = data(file, options).unwrap();
        assert_eq!((workload.requests().len(), workload.duration().as_secs()), (requests, duration), "{file}");
        assert!((workload.offered_load() / load - 1.0).abs() < 5e-3, "{file}: {}", workload.offered_load());
        assert!(workload.requests().is_sorted_by_key(|request| request.arrival), "{file}");
    }
}

/// Damages a valid file at every byte: an error or a workload, but no panic.
#[test]
fn damaged_bytes_never_panic() {
    let files = ["\u{feff}arrival_ms,service_ms,pool\r\n0,5,1\r\n7,1,2", "t_s,requests\n0,3\n10,0\n20,99\n"];
    let options = ReadOptions::default().with_max_requests(1_000);
    for file in files {
        for index in 0..file.len() {
            for byte in *b"\0\n\r\",-09a\xff\xef" {
                let (mut changed, mut inserted) = (file.as_bytes().to_vec(), file.as_bytes().to_vec());
                changed[index] = byte;
                inserted.insert(index, byte);
                for bytes in [&changed[..], &inserted, &file.as_bytes()[..index]] {
                    for options in [options, options.with_pool(1), options.with_divide_by(3)] {
                        if let Ok(workload) = read_with(bytes, options) {
                            let requests = workload.requests().to_vec();
                            assert!(Workload::from_requests("again", requests).is_ok(), "{bytes:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_part_is_a_workload_of_its_own() {
    let request = |at| Request { arrival: Timestamp::from_millis(at), service: Duration::from_millis(5) };
    let requests: Vec<_> = [0, 10, 10, 20, 30].map(request).into();
    let workload = Workload::from_requests("whole", requests).unwrap();
    let part = |start, end| workload.between(Duration::from_millis(start), Duration::from_millis(end));
    let arrivals =
        |part: &Workload| part.requests().iter().map(|r| r.arrival.as_nanos() / 1_000_000).collect::<Vec<_>>();
    assert_eq!([part(0, 30), part(0, 99)], [workload.clone(), workload.clone()], "the whole of it");
    assert_eq!(arrivals(&part(0, 29)), [0, 10, 10, 20]);
    assert_eq!(arrivals(&part(10, 20)), [0, 0]);
    assert_eq!(arrivals(&part(5, 1_000)), [5, 5, 15, 25]);
    assert_eq!(part(5, 1_000).duration(), Duration::from_millis(25));
    for empty in [part(20, 10), part(40, 50), part(10, 10), part(30, 30)] {
        assert!(empty.requests().is_empty() && empty.duration().is_zero(), "{empty:?}");
    }
    let parts = [part(0, 10), part(10, 20), part(20, 30)];
    assert_eq!(parts.iter().map(|part| part.requests().len()).sum::<usize>(), 5);
    assert_eq!(parts.iter().map(Workload::duration).sum::<Duration>(), workload.duration());
}

#[test]
fn each_pool_of_a_file_is_a_workload_of_its_own() {
    let csv = "arrival_ms,service_ms,pool\n1,5,2\n2,6,0\n2,7,2\n9,8,1\n";
    let read_pools = |options| Workload::read_pools("trace.csv", csv.as_bytes(), &options);
    let pools = read_pools(ReadOptions::default()).unwrap();
    assert_eq!(
        pools.iter().map(Workload::name).collect::<Vec<_>>(),
        ["trace.csv (pool 0)", "trace.csv (pool 1)", "trace.csv (pool 2)"]
    );
    for (number, pool) in (0..).zip(&pools) {
        let one = read_with(csv, ReadOptions::default().with_pool(number)).unwrap();
        assert_eq!((pool.requests(), pool.duration()), (one.requests(), one.duration()));
    }
    assert_eq!(pools[2].requests().len(), 2);
    let one = read_pools(ReadOptions::default().with_pool(1)).unwrap();
    assert_eq!((one.len(), one[0].name()), (1, "trace.csv (pool 1)"));

    let refuse = |csv: &str, options, part: &str| {
        let error = Workload::read_pools("trace.csv", csv.as_bytes(), &options).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    };
    refuse("arrival_ms,service_ms\n1,5\n", ReadOptions::default(), "column `pool` is missing");
    refuse("t_s,requests\n0,5\n60,1\n", ReadOptions::default(), "column `pool` is missing");
    refuse("arrival_ms,service_ms,pool\n", ReadOptions::default(), "no rows");
    refuse(csv, ReadOptions::default().with_pool(3), "no row with 3");
    refuse(csv, ReadOptions::default().with_max_requests(3), "past 3 requests");
}

#[test]
fn drawn_arrivals_keep_the_count_of_each_bucket_and_no_step() {
    let csv = "t_s,requests\n0,400\n60,0\n120,1600\n";
    let drawn = |seed| read_with(csv, ReadOptions::default().with_drawn(seed)).unwrap();
    let workload = drawn(1);
    let at: Vec<u64> = workload.requests().iter().map(|request| request.arrival.as_nanos()).collect();
    assert!(at.is_sorted() && at.len() == 2_000);
    assert!(at[..400].iter().all(|at| *at < 60_000_000_000));
    assert!(at[400..].iter().all(|at| (120_000_000_000..180_000_000_000).contains(at)));
    assert_eq!(workload.duration(), Duration::from_secs(180));
    // Counts of the last bucket's seconds: as uneven as those of a Poisson process, variance and mean alike.
    let mut counts = [0_u64; 60];
    at[400..].iter().for_each(|at| counts[usize::try_from(at / 1_000_000_000).unwrap() - 120] += 1);
    let squares: u64 = counts.iter().map(|count| count * count).sum();
    let dispersion = (squares * 60 - 1_600 * 1_600) / 1_600;
    assert!((35..90).contains(&dispersion), "{dispersion} sixtieths");
    assert_eq!(workload, drawn(1));
    assert_ne!(workload, drawn(2));
    let requests = "arrival_ms,service_ms\n1,5\n";
    assert_eq!(read_with(requests, ReadOptions::default().with_drawn(1)).unwrap(), read(requests).unwrap());
}
