package reports

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/ipseclab/ipseclab/internal/pcapng"
	"github.com/ipseclab/ipseclab/internal/result"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// The files of a scenario's evidence folder.
const (
	resultFile  = "result.json"
	traceFile   = "trace.jsonl"
	captureFile = "capture.pcapng"
	notesFile   = "observers.json" // where there are any
	profileDir  = "wireshark"
	reportFile  = "report.html"
	indexFile   = "index.html"
)

// evidence is an evidence folder in memory.
type evidence struct {
	*result.Scenario
	events  []trace.Event
	packets []pcapng.Packet
	notices []string // what could not be read
	watched []result.Observer
	profile bool // there is a Wireshark profile
}

// load reads an evidence folder. A damaged or missing trace or capture leaves
// what stands before the damage, a notice for the reader of the report, and an
// error.
func load(dir string) (*evidence, error) {
	s, bad := read(dir, resultFile, result.Read)
	if bad != nil {
		return nil, bad
	}
	ev := &evidence{Scenario: s}
	var errs []error
	note := func(bad *fileError) {
		if bad != nil {
			ev.notices = append(ev.notices, bad.notice())
			errs = append(errs, bad)
		}
	}
	ev.events, bad = read(dir, traceFile, trace.Read)
	note(bad)
	ev.packets, bad = read(dir, captureFile, pcapng.Read)
	note(bad)
	if slices.ContainsFunc(s.Artefacts, func(a result.Artefact) bool { return a.Path == notesFile }) {
		ev.watched, bad = read(dir, notesFile, result.ReadObservers)
		note(bad)
	}
	if st, err := os.Stat(filepath.Join(dir, profileDir)); err == nil {
		ev.profile = st.IsDir()
	}
	return ev, errors.Join(errs...)
}

// fileError is a file of evidence that could not be read.
type fileError struct {
	dir, name string
	err       error
}

func (e *fileError) Error() string {
	return fmt.Sprintf("reports: reading %s: %v", filepath.Join(e.dir, e.name), e.err)
}

func (e *fileError) Unwrap() error { return e.err }

// notice says it without the folder, which is another one on every machine.
func (e *fileError) notice() string { return fmt.Sprintf("%s cannot be read: %v", e.name, e.err) }

func read[T any](dir, name string, parse func(io.Reader) (T, error)) (T, *fileError) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err
		}
		var none T
		return none, &fileError{dir, name, err}
	}
	defer f.Close() // only read from
	v, err := parse(f)
	if err != nil {
		return v, &fileError{dir, name, err}
	}
	return v, nil
}
