#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| madezip_fuzz::signal(data));
