//! Lines that must come out, whatever the output does meanwhile.

use super::*;

/// What was written so far, to each output that was opened.
#[derive(Clone, Default)]
struct Outputs(Arc<Mutex<Vec<Vec<u8>>>>);

impl Outputs {
    fn open(&self) -> Open {
        let outputs = self.clone();
        Box::new(move || {
            let mut all = outputs.0.lock().unwrap();
            all.push(Vec::new());
            let output = OneOutput {
                outputs: outputs.clone(),
                number: all.len() - 1,
            };
            Ok(Box::new(io::BufWriter::new(output)))
        })
    }

    fn texts(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|bytes| String::from_utf8(bytes.clone()).unwrap())
            .collect()
    }
}

struct OneOutput {
    outputs: Outputs,
    number: usize,
}

impl Write for OneOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outputs.0.lock().unwrap()[self.number].extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_queued_is_written_before_the_process_ends() {
    let outputs = Outputs::default();
    let writer = LineWriter::start(outputs.open()).unwrap();
    for number in 0..1000 {
        writer.line(format!("line {number}").into_bytes());
    }
    drop(writer);
    let texts = outputs.texts();
    assert_eq!((texts.len(), texts[0].lines().count()), (1, 1000));
    assert_eq!(texts[0].lines().last(), Some("line 999"));
}

/// The output stands still, so the queue fills: what is lost is counted, a reopening is not lost.
#[test]
fn a_full_queue_drops_lines_but_no_reopening() {
    struct Stuck(Sender<()>, Receiver<()>);
    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.0.send(());
            // Until the test lets go.
            let _ = self.1.recv();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let outputs = Outputs::default();
    let mut fresh = outputs.open();
    let (entered, is_stuck) = channel();
    let (go, wait) = channel();
    let mut stuck = Some(Stuck(entered, wait));
    let open = Box::new(move || match stuck.take() {
        Some(stuck) => Ok(Box::new(stuck) as Box<dyn Write + Send>),
        None => fresh(),
    });
    let writer = LineWriter::start(open).unwrap();
    writer.line(b"x".to_vec());
    is_stuck.recv().unwrap();
    while writer.line(b"x".to_vec()) {}
    writer.reopen();
    assert!(!writer.line(b"lost".to_vec()));
    assert_eq!(
        writer.complaint().as_deref(),
        Some("2 log lines were dropped because the log could not be written fast enough")
    );
    assert_eq!(writer.complaint(), None, "told once");
    drop(go);
    drop(writer);
    let texts = outputs.texts();
    assert!(texts[0].starts_with("x\n") && !texts[0].contains("lost"));
}

#[test]
fn a_log_that_cannot_be_opened_anew_goes_on_and_says_so() {
    let outputs = Outputs::default();
    let mut open = outputs.open();
    let mut is_first = true;
    let writer = LineWriter::start(Box::new(move || {
        if std::mem::take(&mut is_first) {
            open()
        } else {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }))
    .unwrap();
    writer.reopen();
    let complaint = loop {
        writer.line(b"x".to_vec());
        if let Some(complaint) = writer.complaint().filter(|text| !text.contains("dropped")) {
            break complaint;
        }
        std::thread::yield_now();
    };
    assert!(complaint.contains("permission denied"), "{complaint}");
    drop(writer);
    assert!(outputs.texts()[0].starts_with("x\n"));
}
